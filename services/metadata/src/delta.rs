//! `Delta`: what a command changed, so that a broker reacts without looking through everything.

use aquifer_types::{NodeId, TopicId, TopicName, TopicPartition};

/// One thing that is different in the image after a command; the image has the details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    ClusterInitialized,
    /// Registered, fenced or unfenced.
    BrokerChanged(NodeId),
    /// With all its partitions: no `PartitionChanged` follows for them.
    TopicCreated(TopicId),
    TopicDeleted {
        id: TopicId,
        name: TopicName,
    },
    /// New partitions from `from` up.
    PartitionsAdded {
        topic: TopicId,
        from: i32,
    },
    PartitionChanged(TopicPartition),
    /// A partition's ranges in the bucket.
    TierChanged(TopicPartition),
    /// A partition's fencing token.
    FenceChanged(TopicPartition),
    /// The settings in force for a topic are others now.
    TopicConfigChanged(TopicId),
    /// What was set for all brokers.
    ClusterConfigChanged,
    GroupConfigChanged(String),
    FeaturesChanged,
}
