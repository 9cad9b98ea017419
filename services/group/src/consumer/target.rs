//! What everyone is to have: computed anew when members, subscriptions or topics have changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use aquifer_types::TopicId;

use super::group::{ConsumerGroup, Reads};
use crate::assignor::{Assignor, Candidate};
use crate::input::Topics;
use crate::names::{InstanceId, MemberId};
use crate::record::{ConsumerGroupValue, GroupRecord, Partitions, TargetValue};
use crate::turn::Turn;

impl ConsumerGroup {
    /// The assignor that most members ask for.
    pub(super) fn assignor(&self) -> Assignor {
        let mut votes: BTreeMap<Assignor, usize> = BTreeMap::new();
        for member in self.members.values() {
            let named = member.said.assignor.as_deref().and_then(Assignor::named);
            if let Some(named) = named {
                *votes.entry(named).or_default() += 1;
            }
        }
        let most = votes.into_iter().max_by_key(|(assignor, count)| (*count, std::cmp::Reverse(*assignor)));
        most.map(|(assignor, _)| assignor).unwrap_or_default()
    }

    /// Begins a new epoch; everyone is given a target for it as soon as that is due.
    pub(super) fn bump(&mut self, turn: &mut Turn<'_>) {
        self.drop_unused_patterns(turn);
        let metadata_hash = self.hash(turn.topics);
        self.checked_version = Some(turn.topics.version());
        let value = ConsumerGroupValue { epoch: self.epoch + 1, metadata_hash };
        self.write(turn, GroupRecord::Consumer { group: self.id.clone(), value: Some(value) });
        self.assign_if_due(turn);
    }

    fn drop_unused_patterns(&mut self, turn: &mut Turn<'_>) {
        let unused = self.patterns.keys().filter(|pattern| !self.pattern_users.contains_key(*pattern));
        let unused: Vec<_> = unused.cloned().collect();
        for pattern in unused {
            let group = self.id.clone();
            self.write(turn, GroupRecord::Pattern { group, pattern, value: None });
        }
    }

    /// Targets are computed for many changes at once, but without delay where nobody is to have anything yet.
    pub(super) fn assign_if_due(&mut self, turn: &mut Turn<'_>) {
        if self.epoch == self.target_epoch {
            return;
        }
        let due = self.assignment_due(turn);
        if due <= turn.now.elapsed_ms {
            self.assign(turn);
        } else {
            turn.wake_by(due);
        }
    }

    /// When the next target is to be computed; `u64::MAX` while there is none to compute.
    pub(super) fn assignment_due(&self, turn: &Turn<'_>) -> u64 {
        let interval = u64::try_from(turn.consumer(&self.id).assignment_interval_ms).unwrap_or(0);
        match self.assigned_elapsed {
            _ if self.epoch == self.target_epoch => u64::MAX,
            Some(at) if self.targets.values().any(|target| !target.is_empty()) => at.saturating_add(interval),
            _ => 0,
        }
    }

    fn assign(&mut self, turn: &mut Turn<'_>) {
        let read = self.read(turn.topics);
        let candidates: BTreeMap<MemberId, Candidate> = self
            .members
            .iter()
            .map(|(id, member)| {
                let candidate = Candidate {
                    topics: read[&member.reads()].keys().copied().collect(),
                    rack: member.said.rack.clone(),
                    held: self.targets.get(id).cloned().unwrap_or_default(),
                    instance: member.said.instance.as_ref().map(InstanceId::as_str).map(Arc::from),
                };
                (id.clone(), candidate)
            })
            .collect();
        let sizes = sizes(&read);
        let targets = self.assignor().assign(&candidates, &sizes, turn.topics);
        for (id, target) in targets {
            if self.targets.get(&id) != Some(&target) {
                let (group, member) = (self.id.clone(), id);
                self.write(turn, GroupRecord::TargetMember { group, member, value: Some(target) });
            }
        }
        let value = TargetValue { epoch: self.epoch, assigned_at: turn.now.wall };
        self.write(turn, GroupRecord::Target { group: self.id.clone(), value: Some(value) });
        self.assigned_elapsed = Some(turn.now.elapsed_ms);
        self.demand_yields(turn);
    }

    /// Who holds what others are to have must come forward, however long its session is.
    pub(super) fn demand_yields(&mut self, turn: &mut Turn<'_>) {
        let none = Partitions::new();
        for (id, member) in &mut self.members {
            let target = self.targets.get(id).unwrap_or(&none);
            let is_asked_to_yield = member.current.assigned.iter().any(|(topic, pairs)| {
                let wanted = target.get(topic);
                pairs.iter().any(|(partition, _)| {
                    wanted.is_none_or(|wanted| wanted.binary_search(partition).is_err())
                })
            });
            let is_asked_to_yield = is_asked_to_yield || !member.current.revoking.is_empty();
            if !is_asked_to_yield {
                member.yield_by = None;
            } else if member.yield_by.is_none() {
                member.yield_by = Some(turn.in_timeout(member.said.rebalance_timeout_ms));
            }
        }
    }

    /// The topics that are read, by what members say they read: most of them say the same.
    fn read(&self, topics: &dyn Topics) -> BTreeMap<Reads<'_>, BTreeMap<TopicId, i32>> {
        let mut read = BTreeMap::new();
        for member in self.members.values() {
            read.entry(member.reads()).or_insert_with(|| self.topics_of(member, topics));
        }
        read
    }

    /// A number that differs when the subscribed topics, their partitions or racks do.
    pub(super) fn hash(&self, topics: &dyn Topics) -> i64 {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        let mut racks = Vec::new();
        for (id, size) in sizes(&self.read(topics)) {
            hash.add(id.0.as_bytes());
            hash.add(&size.to_be_bytes());
            for partition in 0..size {
                racks.clear();
                topics.racks(id, partition, &mut racks);
                racks.sort_unstable();
                racks.dedup();
                for rack in &racks {
                    hash.add(rack.as_bytes());
                    hash.add(&[0]);
                }
                hash.add(&[1]);
            }
        }
        hash.0.cast_signed()
    }
}

/// Every topic that somebody reads.
fn sizes(read: &BTreeMap<Reads<'_>, BTreeMap<TopicId, i32>>) -> BTreeMap<TopicId, i32> {
    read.values().flatten().map(|(topic, size)| (*topic, *size)).collect()
}

/// FNV-1a: the same on every machine.
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
