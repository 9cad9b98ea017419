//! `Replicas`: the replicas this broker holds, and what a topic's settings mean to them.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use aquifer_hotlog::{CompactionPolicy, RollPolicy};
use aquifer_metadata::TopicConfig;
use aquifer_replica::{LocalRetention, Replica, ReplicaConfig};
use aquifer_types::{PartitionIndex, TopicId, TopicPartition};

/// This broker's replicas by partition.
#[derive(Debug, Default)]
pub(crate) struct Replicas {
    held: RwLock<BTreeMap<TopicPartition, Arc<Replica>>>,
}

impl Replicas {
    pub(crate) fn get(&self, id: TopicPartition) -> Option<Arc<Replica>> {
        self.held.read().expect("looking up does not panic").get(&id).cloned()
    }

    pub(crate) fn insert(&self, replica: Arc<Replica>) {
        self.held.write().expect("inserting does not panic").insert(replica.id(), replica);
    }

    pub(crate) fn count(&self) -> usize {
        self.held.read().expect("looking up does not panic").len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Replica>> {
        self.held.read().expect("looking up does not panic").values().cloned().collect()
    }

    pub(crate) fn of_topic(&self, topic: TopicId) -> Vec<Arc<Replica>> {
        let first = TopicPartition { topic, partition: PartitionIndex(0) };
        let last = TopicPartition { topic, partition: PartitionIndex(i32::MAX) };
        let held = self.held.read().expect("looking up does not panic");
        held.range(first..=last).map(|(_, replica)| replica.clone()).collect()
    }

    pub(crate) fn remove(&self, id: TopicPartition) {
        self.held.write().expect("removing does not panic").remove(&id);
    }
}

/// What a topic's settings mean to its replicas, on a broker with a tier or without one.
pub(crate) fn replica_config(config: &TopicConfig, has_tier: bool) -> ReplicaConfig {
    let segment_bytes = u64::try_from(config.segment_bytes).unwrap_or(0);
    let compaction = config.cleanup.compact.then_some(CompactionPolicy {
        min_dirty_ratio: config.min_cleanable_dirty_ratio,
        min_lag_ms: config.min_compaction_lag_ms,
        max_lag_ms: config.max_compaction_lag_ms,
        tombstone_retention_ms: config.tombstone_retention_ms,
        segment_bytes,
    });
    ReplicaConfig {
        durability: match config.durability {
            aquifer_metadata::Durability::Flushed => aquifer_partition::Durability::Flushed,
            aquifer_metadata::Durability::PageCache => aquifer_partition::Durability::PageCache,
        },
        roll: RollPolicy {
            segment_bytes,
            // Only closed segments are cleaned.
            segment_ms: compaction
                .map_or(config.segment_ms, |policy| config.segment_ms.min(policy.max_lag_ms)),
        },
        deletes: config.cleanup.delete,
        retention_ms: config.retention_ms,
        retention_bytes: config.retention_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
        local: if has_tier { local_retention(config) } else { None },
        compaction,
    }
}

/// What stays on local disk of a tiered topic. A compacted one is mirrored: all of it stays, for compaction works on it.
fn local_retention(config: &TopicConfig) -> Option<LocalRetention> {
    if config.cleanup.compact {
        return config.tiered.then(LocalRetention::default);
    }
    config.tiered.then(|| LocalRetention {
        bytes: config.local_retention_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
        ms: config.local_retention_ms,
    })
}
