//! `ClusterTopics`: the cluster's metadata as the group core asks about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aquifer_group::{GroupConfig, GroupId, Topics};
use aquifer_metadata::Image;
use aquifer_types::{PartitionIndex, TopicId, TopicName};

/// The topics of one image.
#[derive(Debug)]
pub(crate) struct ClusterTopics {
    pub(crate) image: Image,
    pub(crate) version: u64,
}

/// The last command that changed topics, their partitions or the brokers that these are on. Most commands change neither,
/// and every group looks at its topics again when this rises.
#[derive(Debug, Default)]
pub(crate) struct TopicsVersion(AtomicU64);

impl TopicsVersion {
    /// What changed is in the image already.
    pub(crate) fn raise(&self, command: u64) {
        self.0.fetch_max(command, Ordering::AcqRel);
    }

    /// To be read before the image: an image that is newer is looked at once more when the version has risen.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl Topics for ClusterTopics {
    fn topic(&self, name: &str) -> Option<(TopicId, i32)> {
        self.image.topic(name).map(|topic| (topic.id(), topic.partition_count()))
    }

    fn name(&self, id: TopicId) -> Option<TopicName> {
        self.image.topic_by_id(id).map(|topic| topic.name().clone())
    }

    fn racks(&self, id: TopicId, partition: i32, racks: &mut Vec<Arc<str>>) {
        let Some(topic) = self.image.topic_by_id(id) else { return };
        let Some(partition) = topic.partition(PartitionIndex(partition)) else { return };
        for replica in partition.replicas() {
            if let Some(rack) = self.image.broker(replica.node).and_then(|broker| broker.rack.as_deref()) {
                racks.push(Arc::from(rack));
            }
        }
    }

    fn group(&self, group: &GroupId) -> GroupConfig {
        let Some(own) = self.image.group_config(group.as_str()) else { return GroupConfig::default() };
        // What was set was checked when it was set.
        let number = |name| own.get(name).and_then(|value| value.parse().ok());
        GroupConfig {
            session_timeout_ms: number("consumer.session.timeout.ms"),
            heartbeat_interval_ms: number("consumer.heartbeat.interval.ms"),
            assignment_interval_ms: number("consumer.assignment.interval.ms"),
        }
    }

    fn version(&self) -> i64 {
        i64::try_from(self.version).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_never_goes_back() {
        let version = TopicsVersion::default();

        for command in [3, 9, 4] {
            version.raise(command);
        }

        assert_eq!(version.get(), 9);
    }
}
