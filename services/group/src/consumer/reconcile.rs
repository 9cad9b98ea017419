//! A member on its way to its target: give up what others are to have, then take what is free.

use std::collections::BTreeMap;

use aquifer_types::TopicId;

use super::owners::Owners;
use crate::record::{CurrentValue, Epochs, MemberState, Partitions};

/// What a member is led to, and what is known of the way there.
pub(super) struct Towards<'a> {
    pub(super) target_epoch: i32,
    pub(super) target: &'a Partitions,
    /// Where the target is older than subscriptions are: what the member reads, and no more than that.
    pub(super) topics: Option<BTreeMap<TopicId, i32>>,
    /// What the member owns by its own word; `None` if its word tells of the past, or of nothing.
    pub(super) owned: Option<&'a Partitions>,
    pub(super) owners: &'a Owners,
}

impl Towards<'_> {
    /// Where the member is next, or `None` where a member of an unknown state must begin anew.
    pub(super) fn next(&self, current: &CurrentValue) -> Option<CurrentValue> {
        match current.state {
            MemberState::Stable if current.epoch == self.target_epoch && self.keeps_all(current) => {
                Some(current.clone())
            }
            // What it has not given up yet nobody else may have.
            MemberState::UnrevokedPartitions if self.still_owns(&current.revoking) => Some(current.clone()),
            MemberState::Stable | MemberState::UnrevokedPartitions | MemberState::UnreleasedPartitions => {
                Some(self.step(current))
            }
            MemberState::Unknown if self.owned.is_some_and(|owned| owned.values().all(Vec::is_empty)) => {
                let anew = CurrentValue { epoch: self.target_epoch, ..CurrentValue::default() };
                Some(self.step(&anew))
            }
            MemberState::Unknown => None,
        }
    }

    /// Who does not say what it owns may own everything.
    fn still_owns(&self, revoking: &Epochs) -> bool {
        let Some(owned) = self.owned else { return true };
        revoking.iter().any(|(topic, pairs)| {
            let owned = owned.get(topic);
            owned.is_some_and(|owned| pairs.iter().any(|(partition, _)| owned.contains(partition)))
        })
    }

    fn step(&self, current: &CurrentValue) -> CurrentValue {
        let (mut kept, revoking) = self.split(&current.assigned);
        if !revoking.is_empty() && self.still_owns(&revoking) {
            return CurrentValue {
                epoch: current.epoch,
                previous_epoch: current.previous_epoch,
                state: MemberState::UnrevokedPartitions,
                assigned: kept,
                revoking,
            };
        }
        let mut waits = false;
        for (topic, partitions) in self.wanted() {
            for partition in partitions {
                let has = kept.get(topic).is_some_and(|pairs| place(pairs, *partition).is_ok());
                if has {
                    continue;
                }
                // What it was to give up itself nobody else has taken.
                let was_its_own = contains(&current.revoking, *topic, *partition);
                if !was_its_own && self.owners.is_held(*topic, *partition) {
                    waits = true;
                    continue;
                }
                let pairs = kept.entry(*topic).or_default();
                if let Err(at) = place(pairs, *partition) {
                    pairs.insert(at, (*partition, self.target_epoch));
                }
            }
        }
        // An answer that is lost twice is forgiven twice: where the epoch stays, so does the one before it.
        let stays = self.target_epoch == current.epoch;
        CurrentValue {
            epoch: self.target_epoch,
            previous_epoch: if stays { current.previous_epoch } else { current.epoch },
            state: if waits { MemberState::UnreleasedPartitions } else { MemberState::Stable },
            assigned: kept,
            revoking: Epochs::new(),
        }
    }

    fn wanted(&self) -> impl Iterator<Item = (&TopicId, &Vec<i32>)> {
        self.target.iter().filter(|(topic, _)| self.reads(**topic))
    }

    fn reads(&self, topic: TopicId) -> bool {
        self.topics.as_ref().is_none_or(|topics| topics.contains_key(&topic))
    }

    fn keeps_all(&self, current: &CurrentValue) -> bool {
        current.assigned.keys().all(|topic| self.reads(*topic))
    }

    /// What of this the target lets the member keep, and what it must give up.
    fn split(&self, assigned: &Epochs) -> (Epochs, Epochs) {
        let (mut kept, mut revoking) = (Epochs::new(), Epochs::new());
        for (topic, pairs) in assigned {
            let wanted = self.target.get(topic).filter(|_| self.reads(*topic));
            let (keep, give): (Vec<_>, Vec<_>) = pairs.iter().copied().partition(|(partition, _)| {
                wanted.is_some_and(|wanted| wanted.binary_search(partition).is_ok())
            });
            if !keep.is_empty() {
                kept.insert(*topic, keep);
            }
            if !give.is_empty() {
                revoking.insert(*topic, give);
            }
        }
        (kept, revoking)
    }
}

pub(super) fn contains(epochs: &Epochs, topic: TopicId, partition: i32) -> bool {
    epochs.get(&topic).is_some_and(|pairs| place(pairs, partition).is_ok())
}

fn place(pairs: &[(i32, i32)], partition: i32) -> Result<usize, usize> {
    pairs.binary_search_by_key(&partition, |(partition, _)| *partition)
}
