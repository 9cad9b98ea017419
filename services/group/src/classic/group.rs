//! `ClassicGroup`: its members and where it is in its rebalance.

use std::collections::BTreeMap;
use std::sync::Arc;

use aquifer_types::TimestampMs;

use super::member::Member;
use crate::answer::{Described, DescribedMember, Refusal};
use crate::names::{GroupId, InstanceId, MemberId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClassicGroup {
    pub(super) id: GroupId,
    /// Empty until the first member says.
    pub(super) protocol_type: Arc<str>,
    pub(super) generation: i32,
    pub(super) protocol: Option<Arc<str>>,
    pub(super) leader: Option<MemberId>,
    pub(super) state_since: TimestampMs,
    /// Boxed, because a map makes room for several where most groups have few.
    pub(super) members: BTreeMap<MemberId, Box<Member>>,
    pub(super) statics: BTreeMap<InstanceId, MemberId>,
    /// Ids handed out and not used yet, each until when it may be.
    pub(super) pending: BTreeMap<MemberId, u64>,
    pub(super) phase: Phase,
    /// Whether the log has a record of it.
    pub(super) is_stored: bool,
}

/// Where a group is between two generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Empty,
    /// Members are awaited until the deadline.
    Preparing(Preparing),
    /// The leader's assignment is awaited, and everyone's Sync until the deadline.
    Completing {
        sync_by: u64,
    },
    /// The assignment is known; those who have not fetched it must until the deadline.
    Stable {
        sync_by: Option<u64>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preparing {
    pub(crate) join_by: u64,
    pub(crate) initial: Option<Initial>,
}

/// The first rebalance waits a little longer for each one that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Initial {
    pub(crate) remaining_ms: u64,
    pub(crate) someone_came: bool,
}

impl Phase {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Phase::Empty => "Empty",
            Phase::Preparing(_) => "PreparingRebalance",
            Phase::Completing { .. } => "CompletingRebalance",
            Phase::Stable { .. } => "Stable",
        }
    }
}

impl ClassicGroup {
    pub(crate) fn new(id: GroupId) -> ClassicGroup {
        ClassicGroup {
            id,
            protocol_type: Arc::from(""),
            generation: 0,
            protocol: None,
            leader: None,
            state_since: TimestampMs::NONE,
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            pending: BTreeMap::new(),
            phase: Phase::Empty,
            is_stored: false,
        }
    }

    /// Whether nothing would be forgotten with it.
    pub(crate) fn is_void(&self) -> bool {
        !self.is_stored && self.members.is_empty() && self.pending.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.phase == Phase::Empty
    }

    pub(crate) fn is_stored(&self) -> bool {
        self.is_stored
    }

    pub(crate) fn state(&self) -> &'static str {
        self.phase.name()
    }

    pub(crate) fn protocol_type(&self) -> &Arc<str> {
        &self.protocol_type
    }

    pub(crate) fn state_since(&self) -> TimestampMs {
        self.state_since
    }

    pub(crate) fn is_leader(&self, member: &MemberId) -> bool {
        self.leader.as_ref() == Some(member)
    }

    /// The member, if it is one and its instance is its own.
    pub(super) fn check_member(
        &self,
        member: &MemberId,
        instance: Option<&InstanceId>,
    ) -> Result<(), Refusal> {
        if let Some(instance) = instance {
            let owner = self.statics.get(instance).ok_or(Refusal::UnknownMember)?;
            if owner != member {
                return Err(Refusal::FencedInstance);
            }
        }
        if self.members.contains_key(member) { Ok(()) } else { Err(Refusal::UnknownMember) }
    }

    /// The longest that any member may take to join again.
    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0)
    }

    /// Whether a member with these protocols would find one that all speak.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[(Arc<str>, Arc<[u8]>)]) -> bool {
        if protocol_type.is_empty() || protocols.is_empty() {
            return false;
        }
        if self.members.is_empty() {
            return true;
        }
        *self.protocol_type == *protocol_type
            && protocols.iter().any(|(name, _)| self.members.values().all(|member| member.supports(name)))
    }

    /// The protocol that most members like best among those that all speak.
    pub(super) fn vote(&self) -> Option<Arc<str>> {
        let shared = |name: &str| self.members.values().all(|member| member.supports(name));
        let mut votes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| shared(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name.clone())
    }

    pub(crate) fn describe(&self) -> Described {
        let is_stable = matches!(self.phase, Phase::Stable { .. });
        let protocol = self.protocol.clone().filter(|_| is_stable).unwrap_or_default();
        let members = self.members.iter().map(|(id, member)| DescribedMember {
            id: id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if is_stable { member.metadata(&protocol) } else { Arc::default() },
            assignment: if is_stable { member.assignment.clone() } else { Arc::default() },
        });
        Described {
            state: self.state(),
            protocol_type: self.protocol_type.clone(),
            protocol: protocol.clone(),
            members: members.collect(),
        }
    }

    /// What it is estimated to take.
    pub(crate) fn bytes(&self) -> usize {
        let members: usize = self.members.values().map(|member| member.bytes()).sum();
        let room = if self.members.is_empty() { 0 } else { 300 };
        room + members + self.pending.len() * 128
    }
}
