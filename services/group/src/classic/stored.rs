//! A classic group's record: written when a generation is decided, and taken in by one and the same code after a restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::group::{ClassicGroup, Phase};
use super::member::Member;
use crate::input::Ticket;
use crate::record::{ClassicMemberValue, ClassicValue, GroupRecord};
use crate::turn::Turn;

impl ClassicGroup {
    /// Writes the group as it is, and takes the record in.
    pub(super) fn store(&mut self, turn: &mut Turn<'_>) {
        let value = self.value();
        self.apply(&value);
        turn.records.push(GroupRecord::Classic { group: self.id.clone(), value: Some(value) });
    }

    /// The group as it is stored.
    pub(crate) fn value(&self) -> ClassicValue {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.iter().map(|(id, member)| ClassicMemberValue {
            id: id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: member.metadata(protocol),
            assignment: member.assignment.clone(),
        });
        ClassicValue {
            protocol_type: self.protocol_type.clone(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_since: self.state_since,
            members: members.collect(),
        }
    }

    /// The group becomes what the record says; what only the living know of its members stays.
    pub(crate) fn apply(&mut self, value: &ClassicValue) {
        let mut alive = std::mem::take(&mut self.members);
        self.statics.clear();
        let mut members = BTreeMap::new();
        for stored in &value.members {
            if let Some(instance) = &stored.instance {
                self.statics.insert(instance.clone(), stored.id.clone());
            }
            let member = restored(stored, value.protocol.as_ref(), alive.remove(&stored.id));
            members.insert(stored.id.clone(), Box::new(member));
        }
        self.members = members;
        self.protocol_type = value.protocol_type.clone();
        self.generation = value.generation;
        self.protocol = value.protocol.clone();
        self.leader = value.leader.clone();
        self.state_since = value.state_since;
        self.is_stored = true;
        self.phase = match (value.members.is_empty(), self.phase) {
            (true, _) => Phase::Empty,
            (false, Phase::Stable { sync_by }) => Phase::Stable { sync_by },
            (false, _) => Phase::Stable { sync_by: None },
        };
    }

    /// Requests of members that are still waiting.
    pub(crate) fn waiting(&self) -> Vec<Ticket> {
        self.members.values().flat_map(|member| [member.join, member.sync]).flatten().collect()
    }
}

/// The member as stored. Only the living know which other protocols it speaks, and only while it still says the same.
fn restored(stored: &ClassicMemberValue, protocol: Option<&Arc<str>>, alive: Option<Box<Member>>) -> Member {
    let says_so =
        |(name, metadata): &(Arc<str>, Arc<[u8]>)| Some(name) == protocol && *metadata == stored.subscription;
    let (protocols, join, sync, has_synced, is_new, session_ends) = match alive {
        Some(alive) if alive.protocols.iter().any(says_so) => {
            (alive.protocols, alive.join, alive.sync, alive.has_synced, alive.is_new, alive.session_ends)
        }
        _ => {
            let chosen = protocol.map(|name| (name.clone(), stored.subscription.clone()));
            (chosen.into_iter().collect(), None, None, true, false, u64::MAX)
        }
    };
    Member {
        instance: stored.instance.clone(),
        client_id: stored.client_id.clone(),
        client_host: stored.client_host.clone(),
        session_timeout_ms: stored.session_timeout_ms,
        rebalance_timeout_ms: stored.rebalance_timeout_ms,
        protocols,
        assignment: stored.assignment.clone(),
        join,
        sync,
        has_synced,
        is_new,
        session_ends,
    }
}
