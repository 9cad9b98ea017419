//! The metadata as a stopped node's directory holds it, read without changing anything.

use std::path::Path;
use std::sync::Arc;

use aquifer_disk::Disk;
use aquifer_metadata::{Image, State};
use aquifer_types::DirectoryId;

use crate::bytes_of::entry_of;
use crate::error::StartError;
use crate::log::{Memory, Record};
use crate::snapshot::SnapshotFiles;
use crate::types::EntryPayload;

/// The newest image that snapshot and log in `folder` make. A sole voter's entries are all as good as committed.
pub fn inspect(disk: Arc<dyn Disk>, folder: &Path, directory: DirectoryId) -> Result<Image, StartError> {
    let mut memory = Memory::default();
    let mut unreadable = None;
    aquifer_wal::inspect(&*disk, folder, directory, &mut |record| match Record::parse(
        record.kind,
        record.payload,
    ) {
        Ok(parsed) => memory.take(parsed),
        Err(error) => unreadable = Some(error),
    })?;
    if let Some(error) = unreadable {
        return Err(StartError::Unreadable(error));
    }
    let (_, snapshot) = SnapshotFiles::look(disk, folder.to_owned())?;
    let (mut state, reached) = match snapshot {
        Some(snapshot) => (snapshot.state, snapshot.meta.last_log_id.map(|id| id.index)),
        None => (State::new(), None),
    };
    for (index, held) in &memory.entries {
        if reached.is_some_and(|reached| *index <= reached) {
            continue;
        }
        let entry = entry_of(held.entry.id, &held.entry.payload).map_err(StartError::Unreadable)?;
        if let EntryPayload::Normal(proposal) = entry.payload {
            let _answer = state.apply(*index, &proposal.command, &mut Vec::new());
        }
    }
    Ok(state.image().clone())
}
