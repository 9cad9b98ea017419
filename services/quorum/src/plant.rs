//! `plant`: the beginning of a quorum that starts with a state instead of nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use aquifer_disk::Disk;
use aquifer_metadata::State;
use aquifer_types::NodeId;
use openraft::BasicNode;

use crate::error::StartError;
use crate::snapshot::{SnapshotFiles, body_of};
use crate::types::{Membership, SnapshotMeta, StoredMembership, log_id};

/// Makes the folder of a quorum whose only voter is `node`, and which knows `state` when it starts as an existing one.
/// Waits for the disk.
pub fn plant(disk: Arc<dyn Disk>, folder: PathBuf, node: NodeId, state: &State) -> Result<(), StartError> {
    let voter = u64::try_from(node.0).map_err(|_negative| StartError::NodeId(node.0))?;
    let (files, found) = SnapshotFiles::open(disk, folder.clone())?;
    if found.is_some() {
        return Err(StartError::Planted(folder));
    }
    let nodes = BTreeMap::from([(voter, BasicNode::new(""))]);
    let members = Membership::new(vec![BTreeSet::from([voter])], nodes);
    let members = members.map_err(|refused| StartError::Stopped(refused.to_string()))?;
    // The term before the first election, in which nobody led.
    let meta = SnapshotMeta {
        last_log_id: Some(log_id(0, state.image().applied())),
        last_membership: StoredMembership::new(Some(log_id(0, 0)), members),
    };
    Ok(files.write(&meta, &body_of(state))?)
}
