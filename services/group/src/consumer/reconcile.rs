//! A member on its way to its target: give up what others are to have, then take what is free.

use super::group::Member;
use super::owners::Owners;
use crate::record::{CurrentValue, Epochs, MemberState, Partitions};

/// Where the member is next, or `None` where a member of an unknown state must begin anew.
pub(super) fn next(
    member: &Member,
    target_epoch: i32,
    target: &Partitions,
    owned: Option<&Partitions>,
    owners: &Owners,
) -> Option<CurrentValue> {
    let current = &member.current;
    let towards = Towards { target_epoch, target, owned, owners };
    match current.state {
        MemberState::Stable if current.epoch == target_epoch => Some(current.clone()),
        // What it has not given up yet nobody else may have.
        MemberState::UnrevokedPartitions if towards.still_owns(&current.revoking) => Some(current.clone()),
        MemberState::Stable | MemberState::UnrevokedPartitions | MemberState::UnreleasedPartitions => {
            Some(towards.step(current))
        }
        MemberState::Unknown if owned.is_some_and(|owned| owned.values().all(Vec::is_empty)) => {
            let anew = CurrentValue { epoch: target_epoch, ..CurrentValue::default() };
            Some(towards.step(&anew))
        }
        MemberState::Unknown => None,
    }
}

struct Towards<'a> {
    target_epoch: i32,
    target: &'a Partitions,
    owned: Option<&'a Partitions>,
    owners: &'a Owners,
}

impl Towards<'_> {
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
                previous_epoch: current.epoch,
                state: MemberState::UnrevokedPartitions,
                assigned: kept,
                revoking,
            };
        }
        let mut waits = false;
        for (topic, partitions) in self.target {
            for partition in partitions {
                let has = kept.get(topic).is_some_and(|pairs| place(pairs, *partition).is_ok());
                if has {
                    continue;
                }
                if self.owners.is_held(*topic, *partition) {
                    waits = true;
                    continue;
                }
                let pairs = kept.entry(*topic).or_default();
                if let Err(at) = place(pairs, *partition) {
                    pairs.insert(at, (*partition, self.target_epoch));
                }
            }
        }
        CurrentValue {
            epoch: self.target_epoch,
            previous_epoch: current.epoch,
            state: if waits { MemberState::UnreleasedPartitions } else { MemberState::Stable },
            assigned: kept,
            revoking: Epochs::new(),
        }
    }

    /// What of this the target lets the member keep, and what it must give up.
    fn split(&self, assigned: &Epochs) -> (Epochs, Epochs) {
        let (mut kept, mut revoking) = (Epochs::new(), Epochs::new());
        for (topic, pairs) in assigned {
            let wanted = self.target.get(topic);
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

fn place(pairs: &[(i32, i32)], partition: i32) -> Result<usize, usize> {
    pairs.binary_search_by_key(&partition, |(partition, _)| *partition)
}
