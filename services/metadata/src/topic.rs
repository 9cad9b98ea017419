//! `Topic`: a topic's name, id, settings and partitions.

use std::sync::Arc;

use aquifer_types::{PartitionIndex, TimestampMs, TopicId, TopicName, TopicPartition};

use crate::config::{ConfigMap, TopicConfig};
use crate::partition::Partition;

/// Partitions that are copied together when one of them changes.
const CHUNK: usize = 64;

/// One topic. Clones share the partitions.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    pub(crate) id: TopicId,
    pub(crate) name: TopicName,
    pub(crate) created: TimestampMs,
    pub(crate) replication_default: bool,
    pub(crate) overrides: ConfigMap,
    pub(crate) config: Arc<TopicConfig>,
    pub(crate) partitions: Partitions,
}

/// Partitions 0 and up, in chunks behind `Arc`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Partitions(Vec<Arc<Vec<Partition>>>);

impl Topic {
    #[must_use]
    pub fn id(&self) -> TopicId {
        self.id
    }

    #[must_use]
    pub fn name(&self) -> &TopicName {
        &self.name
    }

    /// When it was made, by the cluster's clock.
    #[must_use]
    pub fn created(&self) -> TimestampMs {
        self.created
    }

    /// Topics of ours, such as `__consumer_offsets`: clients may not produce to them.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.name.is_reserved()
    }

    /// Its creator left the replication factor to the cluster, so that it rises as brokers join.
    #[must_use]
    pub fn has_default_replication(&self) -> bool {
        self.replication_default
    }

    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> &Arc<TopicConfig> {
        &self.config
    }

    /// What was set on the topic itself, by name.
    #[must_use]
    pub fn overrides(&self) -> &ConfigMap {
        &self.overrides
    }

    #[must_use]
    pub fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }

    #[must_use]
    pub fn partition(&self, index: PartitionIndex) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index.0).ok()?)
    }

    /// All partitions, from 0.
    pub fn partitions(&self) -> impl Iterator<Item = (PartitionIndex, &Partition)> {
        (0..).map(PartitionIndex).zip(self.partitions.iter())
    }

    /// The name by which logs and replicas know a partition of this topic.
    #[must_use]
    pub fn at(&self, partition: PartitionIndex) -> TopicPartition {
        TopicPartition { topic: self.id, partition }
    }

    /// Copies of partition 0, which is what Kafka calls a topic's replication factor.
    #[must_use]
    pub fn replication_factor(&self) -> usize {
        self.partitions.get(0).map_or(0, |partition| partition.replicas().len())
    }

    /// In-sync members without which `acks=all` is refused: never more than the partition has copies.
    #[must_use]
    pub fn min_in_sync(&self, partition: &Partition) -> usize {
        let configured = usize::try_from(self.config.min_in_sync_replicas).unwrap_or(1);
        configured.min(partition.replicas().len()).max(1)
    }
}

impl Partitions {
    pub(crate) fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * CHUNK + last.len())
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Partition> {
        self.0.get(at / CHUNK)?.get(at % CHUNK)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Partition> {
        self.0.iter().flat_map(|chunk| chunk.iter())
    }

    /// Replaces a partition that exists.
    pub(crate) fn set(&mut self, at: usize, partition: Partition) {
        if let Some(chunk) = self.0.get_mut(at / CHUNK) {
            Arc::make_mut(chunk)[at % CHUNK] = partition;
        }
    }

    pub(crate) fn extend(&mut self, more: impl IntoIterator<Item = Partition>) {
        let mut more = more.into_iter().peekable();
        while more.peek().is_some() {
            match self.0.last_mut() {
                Some(last) if last.len() < CHUNK => {
                    let room = CHUNK - last.len();
                    let last = Arc::make_mut(last);
                    last.extend(more.by_ref().take(room));
                    last.shrink_to_fit();
                }
                _ => {
                    let mut chunk: Vec<Partition> = more.by_ref().take(CHUNK).collect();
                    chunk.shrink_to_fit();
                    self.0.push(Arc::new(chunk));
                }
            }
        }
    }

    /// Heap bytes of the partitions, what was allocated and not used included.
    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        let list = self.0.capacity() * size_of::<Arc<Vec<Partition>>>();
        let chunk_head = size_of::<Vec<Partition>>() + 2 * size_of::<usize>();
        let chunks = self.0.iter().map(|chunk| chunk_head + chunk.capacity() * size_of::<Partition>());
        list + chunks.sum::<usize>() + self.iter().map(Partition::heap_bytes).sum::<usize>()
    }
}
