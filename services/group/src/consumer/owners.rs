//! `Owners`: which partitions somebody holds or has not given up yet.

use std::collections::BTreeMap;

use aquifer_types::TopicId;

use crate::record::{CurrentValue, Epochs};

/// The partitions that are held, by topic: one bit each, 64 to a word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owners(BTreeMap<TopicId, BTreeMap<i32, u64>>);

impl Owners {
    pub(crate) fn is_held(&self, topic: TopicId, partition: i32) -> bool {
        let words = self.0.get(&topic);
        words.and_then(|words| words.get(&(partition / 64))).is_some_and(|word| word & bit(partition) != 0)
    }

    pub(crate) fn hold(&mut self, current: &CurrentValue) {
        for (topic, partitions) in topics(current) {
            let words = self.0.entry(*topic).or_default();
            for (partition, _) in partitions {
                *words.entry(partition / 64).or_default() |= bit(*partition);
            }
        }
    }

    pub(crate) fn release(&mut self, current: &CurrentValue) {
        for (topic, partitions) in topics(current) {
            let Some(words) = self.0.get_mut(topic) else { continue };
            for (partition, _) in partitions {
                if let Some(word) = words.get_mut(&(partition / 64)) {
                    *word &= !bit(*partition);
                }
            }
            words.retain(|_, word| *word != 0);
            if words.is_empty() {
                self.0.remove(topic);
            }
        }
    }
}

fn topics(current: &CurrentValue) -> impl Iterator<Item = (&TopicId, &Vec<(i32, i32)>)> {
    let both: [&Epochs; 2] = [&current.assigned, &current.revoking];
    both.into_iter().flatten()
}

fn bit(partition: i32) -> u64 {
    1 << (partition & 63)
}
