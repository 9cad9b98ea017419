//! `Owners`: which partitions somebody holds or has not given up yet.

use std::collections::BTreeMap;

use aquifer_types::TopicId;

use crate::record::{CurrentValue, Epochs};

/// The epoch of whoever holds a partition, by topic and partition; absent where nobody does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owners(BTreeMap<TopicId, BTreeMap<i32, i32>>);

impl Owners {
    pub(crate) fn is_held(&self, topic: TopicId, partition: i32) -> bool {
        self.0.get(&topic).is_some_and(|partitions| partitions.contains_key(&partition))
    }

    pub(crate) fn hold(&mut self, current: &CurrentValue) {
        for topics in [&current.assigned, &current.revoking] {
            for (topic, partitions) in topics {
                let held = self.0.entry(*topic).or_default();
                held.extend(partitions.iter().map(|(partition, _)| (*partition, current.epoch)));
            }
        }
    }

    pub(crate) fn release(&mut self, current: &CurrentValue) {
        self.release_all(&current.assigned);
        self.release_all(&current.revoking);
    }

    fn release_all(&mut self, topics: &Epochs) {
        for (topic, partitions) in topics {
            let Some(held) = self.0.get_mut(topic) else { continue };
            for (partition, _) in partitions {
                held.remove(partition);
            }
            if held.is_empty() {
                self.0.remove(topic);
            }
        }
    }
}
