//! What openraft is told about our types.

use std::fmt;
use std::sync::Arc;

use aquifer_metadata::{Answer, Command};
use openraft::BasicNode;
use openraft::impls::leader_id_std;
use openraft::vote::RaftLeaderId;

use crate::surroundings::Surroundings;

openraft::declare_raft_types!(
    /// The quorum's types: one leader a term, nodes by number.
    pub(crate) Types:
        D = Proposal,
        R = Reply,
        NodeId = u64,
        Node = BasicNode,
        Term = u64,
        LeaderId = leader_id_std::LeaderId<u64, u64>,
        AsyncRuntime = Surroundings,
);

pub(crate) type LogId = openraft::type_config::alias::LogIdOf<Types>;
pub(crate) type Vote = openraft::type_config::alias::VoteOf<Types>;
pub(crate) type Entry = openraft::type_config::alias::EntryOf<Types>;
pub(crate) type EntryPayload = openraft::type_config::alias::EntryPayloadOf<Types>;
pub(crate) type Membership = openraft::Membership<u64, BasicNode>;
pub(crate) type StoredMembership = openraft::type_config::alias::StoredMembershipOf<Types>;
pub(crate) type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<Types>;
pub(crate) type Flushed = openraft::storage::IOFlushed<Types>;

/// The log id of `index` in `term`.
pub(crate) fn log_id(term: u64, index: u64) -> LogId {
    // Committed leaders are told apart by their term alone.
    LogId::new(leader_id_std::LeaderId::new(term, 0).to_committed(), index)
}

/// A command with its bytes, which are what is stored.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    pub(crate) command: Arc<Command>,
    pub(crate) bytes: Arc<[u8]>,
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command of {} bytes", self.bytes.len())
    }
}

/// What the state machine answered; none for raft's own entries.
#[derive(Clone, Debug)]
pub(crate) struct Reply(pub(crate) Option<Answer>);
