//! `Group`: one group of either protocol, its offsets, and how far its records are committed.

use aquifer_types::Offset;

use crate::classic::ClassicGroup;
use crate::names::GroupId;
use crate::offsets::{Expiry, Offsets};
use crate::record::GroupRecord;
use crate::turn::Turn;

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) offsets: Offsets,
    pub(crate) kind: Kind,
    /// What group and members are estimated to take, as of their last change.
    pub(crate) state_bytes: usize,
    /// Below here lie all records of its members and generations.
    pub(crate) state_end: Offset,
    /// Below here lie all records of its offsets.
    pub(crate) offsets_end: Offset,
    /// When it is to be looked at; `u64::MAX` for never.
    pub(crate) wake_at: u64,
}

/// By which protocol the group's members work together.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Also groups that only keep offsets.
    Classic(ClassicGroup),
}

impl Group {
    pub(crate) fn new(id: GroupId) -> Group {
        Group {
            kind: Kind::Classic(ClassicGroup::new(id.clone())),
            id,
            offsets: Offsets::default(),
            state_bytes: 0,
            state_end: Offset::ZERO,
            offsets_end: Offset::ZERO,
            wake_at: u64::MAX,
        }
    }

    /// Takes one record in.
    pub(crate) fn apply(&mut self, record: GroupRecord) {
        match record {
            GroupRecord::Offset { topic, partition, value, .. } => self.offsets.apply(&topic, partition, value),
            GroupRecord::Classic { value: Some(value), .. } => {
                let Kind::Classic(classic) = &mut self.kind;
                classic.apply(&value);
            }
            GroupRecord::Classic { value: None, .. } => {
                self.kind = Kind::Classic(ClassicGroup::new(self.id.clone()));
            }
            _ => {}
        }
    }

    /// Whether nothing would be forgotten with it.
    pub(crate) fn is_void(&self) -> bool {
        let Kind::Classic(classic) = &self.kind;
        classic.is_void() && self.offsets.is_empty()
    }

    /// Whether nobody is a member.
    pub(crate) fn is_empty(&self) -> bool {
        let Kind::Classic(classic) = &self.kind;
        classic.is_empty()
    }

    pub(crate) fn state(&self) -> &'static str {
        let Kind::Classic(classic) = &self.kind;
        classic.state()
    }

    pub(crate) fn type_name(&self) -> &'static str {
        let Kind::Classic(_) = &self.kind;
        "classic"
    }

    pub(crate) fn bytes(&self) -> usize {
        256 + 2 * self.id.as_str().len() + self.state_bytes + self.offsets.bytes()
    }

    pub(crate) fn measure(&mut self) {
        let Kind::Classic(classic) = &self.kind;
        self.state_bytes = classic.bytes();
    }

    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) {
        let Kind::Classic(classic) = &mut self.kind;
        classic.tick(turn);
    }

    pub(crate) fn rearm(&mut self, turn: &mut Turn<'_>) {
        let Kind::Classic(classic) = &mut self.kind;
        classic.rearm(turn);
    }

    /// Whether somebody reads this topic, so that its offsets are needed.
    pub(crate) fn subscribes(&self) -> impl Fn(&str) -> bool + use<> {
        let Kind::Classic(classic) = &self.kind;
        let topics = classic.subscriptions();
        move |topic: &str| topics.as_ref().is_none_or(|topics| topics.contains(topic))
    }

    /// Removes offsets that have expired, and the group with the last of them if nobody is in it.
    pub(crate) fn expire(&mut self, turn: &mut Turn<'_>, max: usize) {
        let Kind::Classic(classic) = &self.kind;
        let since = classic.state_since();
        let idle_since = (classic.is_empty() && classic.is_stored() && since.0 >= 0).then_some(since);
        let expiry =
            Expiry { now: turn.now.wall, retention_ms: turn.settings.offsets_retention_ms, idle_since };
        let expired = self.offsets.expired(&expiry, self.subscribes(), max);
        self.offsets.remove_all(turn, &self.id, expired);
        if self.is_empty() && self.offsets.is_empty() {
            self.remove(turn);
        }
    }

    /// Removes the group's own records, nobody being in it.
    pub(crate) fn remove(&mut self, turn: &mut Turn<'_>) {
        let Kind::Classic(classic) = &self.kind;
        if classic.is_stored() {
            let record = GroupRecord::Classic { group: self.id.clone(), value: None };
            self.apply(record.clone());
            turn.records.push(record);
        }
    }

    pub(crate) fn remove_offsets(&mut self, turn: &mut Turn<'_>) {
        let all: Vec<_> =
            self.offsets.values().map(|(topic, partition, _)| (topic.clone(), partition)).collect();
        self.offsets.remove_all(turn, &self.id, all);
    }
}
