//! `Member`: one client in a classic group.

use std::sync::Arc;

use crate::input::{Join, Ticket};
use crate::names::InstanceId;

/// What a member is estimated to take beside its metadata and assignment.
const MEMBER_BYTES: usize = 400;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) instance: Option<InstanceId>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    pub(crate) session_timeout_ms: i32,
    pub(crate) rebalance_timeout_ms: i32,
    /// In the order in which the client prefers them; only the chosen one after a restart.
    pub(crate) protocols: Vec<(Arc<str>, Arc<[u8]>)>,
    pub(crate) assignment: Arc<[u8]>,
    /// The Join that waits for the others.
    pub(crate) join: Option<Ticket>,
    /// The Sync that waits for the leader.
    pub(crate) sync: Option<Ticket>,
    /// Whether it has asked for its assignment of this generation.
    pub(crate) has_synced: bool,
    /// Whether it waits in its first Join: it cannot show that it is alive until it knows its id.
    pub(crate) is_new: bool,
    pub(crate) session_ends: u64,
}

impl Member {
    pub(crate) fn new(join: &Join) -> Member {
        Member {
            instance: join.instance.clone(),
            client_id: join.client_id.clone(),
            client_host: join.client_host.clone(),
            session_timeout_ms: join.session_timeout_ms,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            protocols: join.protocols.clone(),
            assignment: Arc::default(),
            join: None,
            sync: None,
            has_synced: false,
            is_new: true,
            session_ends: u64::MAX,
        }
    }

    /// Takes over what the client says of itself.
    pub(crate) fn update(&mut self, join: &Join) {
        self.client_id = join.client_id.clone();
        self.client_host = join.client_host.clone();
        self.session_timeout_ms = join.session_timeout_ms;
        self.rebalance_timeout_ms = join.rebalance_timeout_ms;
        self.protocols = join.protocols.clone();
    }

    pub(crate) fn metadata(&self, protocol: &str) -> Arc<[u8]> {
        let found = self.protocols.iter().find(|(name, _)| &**name == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    pub(crate) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| &**name == protocol)
    }

    /// Whether its session is counted: a call that waits here shows that the client is there.
    pub(crate) fn session_counts(&self) -> bool {
        self.is_new || (self.join.is_none() && self.sync.is_none())
    }

    pub(crate) fn bytes(&self) -> usize {
        let protocols: usize = self.protocols.iter().map(|(name, bytes)| name.len() + bytes.len()).sum();
        MEMBER_BYTES + protocols + self.assignment.len()
    }
}
