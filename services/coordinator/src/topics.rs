//! `ClusterTopics`: the cluster's metadata as the group core asks about it.

use std::sync::Arc;

use aquifer_group::{GroupConfig, GroupId, Topics};
use aquifer_metadata::Image;
use aquifer_types::{PartitionIndex, TopicId, TopicName};

/// The topics of one image.
#[derive(Debug)]
pub(crate) struct ClusterTopics(pub(crate) Image);

impl Topics for ClusterTopics {
    fn topic(&self, name: &str) -> Option<(TopicId, i32)> {
        self.0.topic(name).map(|topic| (topic.id(), topic.partition_count()))
    }

    fn name(&self, id: TopicId) -> Option<TopicName> {
        self.0.topic_by_id(id).map(|topic| topic.name().clone())
    }

    fn racks(&self, id: TopicId, partition: i32, racks: &mut Vec<Arc<str>>) {
        let Some(topic) = self.0.topic_by_id(id) else { return };
        let Some(partition) = topic.partition(PartitionIndex(partition)) else { return };
        for replica in partition.replicas() {
            if let Some(rack) = self.0.broker(replica.node).and_then(|broker| broker.rack.as_deref()) {
                racks.push(Arc::from(rack));
            }
        }
    }

    fn group(&self, group: &GroupId) -> GroupConfig {
        let Some(own) = self.0.group_config(group.as_str()) else { return GroupConfig::default() };
        // What was set was checked when it was set.
        let number = |name| own.get(name).and_then(|value| value.parse().ok());
        GroupConfig {
            session_timeout_ms: number("consumer.session.timeout.ms"),
            heartbeat_interval_ms: number("consumer.heartbeat.interval.ms"),
            assignment_interval_ms: number("consumer.assignment.interval.ms"),
        }
    }

    fn version(&self) -> i64 {
        i64::try_from(self.0.applied()).unwrap_or(i64::MAX)
    }
}
