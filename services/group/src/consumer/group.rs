//! `ConsumerGroup`: members, what they are to have, and what they have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aquifer_types::{TimestampMs, TopicId};

use super::owners::Owners;
use crate::answer::{ConsumerDescribed, ConsumerMember};
use crate::input::Topics;
use crate::names::{GroupId, InstanceId, MemberId};
use crate::record::{CurrentValue, MemberState, MemberValue, Partitions, PatternValue};

/// What a member is estimated to take beside its names and partitions.
const MEMBER_BYTES: usize = 700;

/// What a group is estimated to take beside its members: mostly maps that have room for more than is in them.
const GROUP_BYTES: usize = 1_450;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerGroup {
    pub(super) id: GroupId,
    pub(super) epoch: i32,
    pub(super) metadata_hash: i64,
    pub(super) target_epoch: i32,
    pub(super) assigned_at: TimestampMs,
    /// Boxed, because a map makes room for several where most groups have few.
    pub(super) members: BTreeMap<MemberId, Box<Member>>,
    pub(super) statics: BTreeMap<InstanceId, MemberId>,
    pub(super) targets: BTreeMap<MemberId, Partitions>,
    pub(super) patterns: BTreeMap<Arc<str>, PatternValue>,
    /// How many members use each pattern.
    pub(super) pattern_users: BTreeMap<Arc<str>, usize>,
    /// How many members speak the classic protocol.
    pub(super) guests: usize,
    pub(super) owners: Owners,
    /// Where members are whose own records have not been met; only while a log is taken in.
    pub(super) strays: BTreeMap<MemberId, CurrentValue>,
    /// When the last target was computed, as far as this coordinator knows.
    pub(super) assigned_elapsed: Option<u64>,
    /// What it is estimated to take.
    pub(super) bytes: usize,
    /// Which version of the metadata the hash was last compared with.
    pub(super) checked_version: Option<i64>,
    /// Against which version of the metadata each pattern was last asked for.
    pub(super) resolving: BTreeMap<Arc<str>, i64>,
    pub(super) is_stored: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) said: MemberValue,
    pub(crate) current: CurrentValue,
    pub(crate) session_ends: u64,
    /// Until when it must have given up what others are to have.
    pub(crate) yield_by: Option<u64>,
    /// Until when a guest must have joined again, or asked for what it is assigned.
    pub(crate) answers_by: Option<u64>,
}

/// The names a member subscribes to, and its pattern.
pub(super) type Reads<'a> = (&'a [Arc<str>], Option<&'a str>);

impl Member {
    /// Whether it speaks the classic protocol, in a group of the other one.
    pub(crate) fn is_guest(&self) -> bool {
        self.said.classic.is_some()
    }

    pub(super) fn reads(&self) -> Reads<'_> {
        (&self.said.topics, self.said.pattern.as_deref())
    }

    /// When it is out, unless it comes forward.
    pub(super) fn deadline(&self) -> u64 {
        let due = [self.yield_by, self.answers_by].into_iter().flatten().min().unwrap_or(u64::MAX);
        due.min(self.session_ends)
    }

    /// How long it may be silent, where the group's members may for `group_ms`.
    pub(super) fn session_ms(&self, group_ms: i32) -> i32 {
        match &self.said.classic {
            Some(classic) => classic.session_timeout_ms,
            None => self.said.session_timeout_ms.unwrap_or(group_ms),
        }
    }

    /// What it is estimated to take.
    pub(super) fn bytes(&self) -> usize {
        let said = &self.said;
        let names: usize = said.topics.iter().map(|topic| topic.len() + 32).sum();
        let protocols = said.classic.iter().flat_map(|classic| &classic.protocols);
        let protocols: usize = protocols.map(|(name, metadata)| 64 + name.len() + metadata.len()).sum();
        let held = held_bytes(&self.current.assigned) + held_bytes(&self.current.revoking);
        MEMBER_BYTES + names + protocols + held
    }
}

impl ConsumerGroup {
    pub(crate) fn new(id: GroupId) -> ConsumerGroup {
        ConsumerGroup {
            id,
            epoch: 0,
            metadata_hash: 0,
            target_epoch: 0,
            assigned_at: TimestampMs(0),
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            targets: BTreeMap::new(),
            patterns: BTreeMap::new(),
            pattern_users: BTreeMap::new(),
            guests: 0,
            strays: BTreeMap::new(),
            assigned_elapsed: None,
            bytes: 0,
            owners: Owners::default(),
            checked_version: None,
            resolving: BTreeMap::new(),
            is_stored: false,
        }
    }

    pub(crate) fn epoch(&self) -> i32 {
        self.epoch
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether nothing would be forgotten with it.
    pub(crate) fn is_void(&self) -> bool {
        !self.is_stored
            && self.target_epoch == 0
            && self.members.is_empty()
            && self.targets.is_empty()
            && self.patterns.is_empty()
            && self.strays.is_empty()
    }

    pub(crate) fn state(&self) -> &'static str {
        if self.members.is_empty() {
            return "Empty";
        }
        if self.epoch > self.target_epoch {
            return "Assigning";
        }
        let is_settled = |member: &Member| {
            member.current.state == MemberState::Stable && member.current.epoch == self.target_epoch
        };
        // A static member that is away for a moment holds nobody up.
        let all_settled = self.members.values().all(|member| member.current.epoch < 0 || is_settled(member));
        if all_settled { "Stable" } else { "Reconciling" }
    }

    /// The topics that exist and that the member reads, with their sizes: those it names and those its pattern matched.
    pub(super) fn topics_of(&self, member: &Member, topics: &dyn Topics) -> BTreeMap<TopicId, i32> {
        let matched = member.said.pattern.as_ref().and_then(|pattern| self.patterns.get(pattern));
        let names = member.said.topics.iter().chain(matched.into_iter().flat_map(|matched| &matched.topics));
        names.filter_map(|name| topics.topic(name)).collect()
    }

    /// Every name that some member reads.
    pub(crate) fn subscriptions(&self) -> BTreeSet<String> {
        let named = self.members.values().flat_map(|member| &member.said.topics);
        let matched = self.pattern_users.keys().filter_map(|pattern| self.patterns.get(pattern));
        named.chain(matched.flat_map(|matched| &matched.topics)).map(|name| name.to_string()).collect()
    }

    pub(crate) fn describe(&self, topics: &dyn Topics) -> ConsumerDescribed {
        let by_name = |partitions: &Partitions| {
            let named = partitions
                .iter()
                .filter_map(|(id, partitions)| topics.name(*id).map(|name| (*id, name, partitions.clone())));
            named.collect()
        };
        let members = self.members.iter().map(|(id, member)| ConsumerMember {
            id: id.clone(),
            said: member.said.clone(),
            epoch: member.current.epoch,
            assigned: by_name(&plain(&member.current)),
            target: self.targets.get(id).map(by_name).unwrap_or_default(),
        });
        ConsumerDescribed {
            state: self.state(),
            epoch: self.epoch,
            assignment_epoch: self.target_epoch,
            assignor: self.assignor().name(),
            members: members.collect(),
        }
    }

    /// What it is estimated to take.
    pub(crate) fn bytes(&self) -> usize {
        GROUP_BYTES + self.bytes
    }
}

/// What partitions by topic are estimated to take.
pub(super) fn held_bytes<T>(topics: &BTreeMap<TopicId, Vec<T>>) -> usize {
    let room = if topics.is_empty() { 0 } else { 400 };
    room + topics.values().map(|held| 48 + size_of::<T>() * held.len()).sum::<usize>()
}

/// A member's partitions without their epochs.
pub(super) fn plain(current: &CurrentValue) -> Partitions {
    let topics = current.assigned.iter();
    topics.map(|(topic, pairs)| (*topic, pairs.iter().map(|(partition, _)| *partition).collect())).collect()
}
