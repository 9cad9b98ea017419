//! `Answer`: what applying a command said, with one refusal type per operation.

use aquifer_types::{
    BrokerEpoch, ClusterId, FencingToken, LeaderEpoch, NodeId, PartitionEpoch, TopicId, TopicName,
};

use crate::config::{ConfigName, InvalidConfig};
use crate::partition::Partition;
use crate::producer_ids::ProducerIdBlock;

/// The answer to a command. Lists are in the order of the command's.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Ticked,
    ClusterInitialized(Result<(), InitRefusal>),
    BrokerRegistered(Result<BrokerEpoch, RegisterRefusal>),
    BrokerFenced(Result<(), RunRefusal>),
    BrokerUnfenced(Result<(), RunRefusal>),
    TopicsCreated(Vec<Result<(), CreateTopicRefusal>>),
    TopicsDeleted(Vec<Result<DeletedTopic, UnknownTopic>>),
    PartitionsCreated(Vec<Result<(), CreatePartitionsRefusal>>),
    ConfigsAltered(Vec<Result<(), AlterConfigRefusal>>),
    ProducerIdsAllocated(Result<ProducerIdBlock, AllocateRefusal>),
    PartitionsAltered(Vec<Result<Partition, AlterPartitionRefusal>>),
    FeaturesUpdated(Vec<Result<(), FeatureRefusal>>),
    TierCommitted(Vec<Result<(), TierCommandRefusal>>),
    TierTrimmed(Vec<Result<(), TierCommandRefusal>>),
    TierDeleted(Vec<Result<(), TierCommandRefusal>>),
    TierForgotten(Vec<Result<(), TierCommandRefusal>>),
    TierReplaced(Vec<Result<(), TierCommandRefusal>>),
    TopicUndeleted(Result<(), UndeleteRefusal>),
    Fenced(Result<(), FenceRefusal>),
}

/// A deleted topic that does not come back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UndeleteRefusal {
    #[error("no such topic was deleted, or nothing is left of it")]
    Unknown,
    #[error("its time is over: its objects are being deleted")]
    TooLate,
    #[error(transparent)]
    Create(#[from] CreateTopicRefusal),
}

/// Whoever speaks for a partition does not lead it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLeading {
    #[error(transparent)]
    Run(#[from] RunRefusal),
    #[error("the partition does not exist")]
    UnknownPartition,
    #[error("another leader, or another epoch, {0}, speaks for the partition")]
    Another(LeaderEpoch),
}

/// A fencing token that is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FenceRefusal {
    #[error(transparent)]
    Leads(#[from] NotLeading),
    #[error("the partition's fencing token is another one")]
    Another(Option<FencingToken>),
}

/// A change of a partition's tier that is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TierCommandRefusal {
    #[error(transparent)]
    Leads(#[from] NotLeading),
    #[error("the partition has nothing in the tier")]
    NoTier,
    #[error(transparent)]
    Tier(#[from] aquifer_manifest::TierRefusal),
    #[error("the bundle was committed before, without the range")]
    BundleCommitted,
    #[error("ranges of the bundle are still known")]
    BundleHeld,
}

/// A topic that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTopic {
    pub id: TopicId,
    pub name: TopicName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InitRefusal {
    #[error("the cluster is already {0}")]
    Initialized(ClusterId),
    #[error("metadata level {0} is not supported")]
    Level(i16),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterRefusal {
    #[error("the cluster has no id yet")]
    NoCluster,
    #[error("node id {0} is negative")]
    NodeId(NodeId),
    #[error("a broker needs an endpoint and a directory")]
    Incomplete,
    #[error("listener or directory {0} is named twice")]
    Twice(String),
    #[error("directory {directory} is registered by node {owner}")]
    DirectoryOwned { directory: String, owner: NodeId },
    #[error("the cluster has {0} brokers, its maximum")]
    TooMany(usize),
}

/// A command in the name of a run of a broker that is not its current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunRefusal {
    #[error("node {0} is not registered")]
    Unknown(NodeId),
    #[error("node {node} runs with broker epoch {current} by now")]
    Stale { node: NodeId, current: BrokerEpoch },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateTopicRefusal {
    #[error("topic '{0}' already exists")]
    Exists(TopicName),
    #[error("topic '{name}' collides with existing topic '{existing}'")]
    Collides { name: TopicName, existing: TopicName },
    #[error("topic id {0} is in use")]
    IdUsed(TopicId),
    #[error(transparent)]
    Partitions(#[from] PartitionCountRefusal),
    #[error(transparent)]
    Placement(#[from] PlacementRefusal),
    #[error(transparent)]
    Config(#[from] AlterConfigRefusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionCountRefusal {
    #[error("number of partitions must be larger than 0")]
    None,
    #[error("a topic has at most {0} partitions")]
    OfTopic(usize),
    #[error("the cluster has at most {0} partitions")]
    OfCluster(usize),
}

/// Replicas were put where they cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacementRefusal {
    #[error("partition {0} has no replica")]
    Empty(usize),
    #[error("partition {partition} has {count} replicas, more than {max}")]
    TooMany { partition: usize, count: usize, max: usize },
    #[error("partition {0} has another number of replicas than the first")]
    Uneven(usize),
    #[error("partition {partition} names node {node} twice")]
    Twice { partition: usize, node: NodeId },
    #[error("node {0} is not registered")]
    UnknownNode(NodeId),
    #[error("node {0} has no such directory")]
    UnknownDirectory(NodeId),
    #[error("partition {0} has no live replica")]
    NoneLive(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such topic")]
pub struct UnknownTopic;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreatePartitionsRefusal {
    #[error(transparent)]
    Unknown(#[from] UnknownTopic),
    #[error("the topic has {current} partitions by now, not {expected}")]
    Changed { current: i32, expected: i32 },
    #[error(transparent)]
    Partitions(#[from] PartitionCountRefusal),
    #[error(transparent)]
    Placement(#[from] PlacementRefusal),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlterConfigRefusal {
    #[error(transparent)]
    UnknownTopic(#[from] UnknownTopic),
    #[error("group id is empty or longer than {0} bytes")]
    GroupId(usize),
    #[error("{0} groups have configs, the maximum")]
    TooManyGroups(usize),
    #[error("'{0}' is changed twice")]
    Twice(String),
    #[error("null value not supported for '{0}'")]
    NullValue(String),
    #[error("'{0}' is not a list: nothing can be appended or subtracted")]
    NotAList(ConfigName),
    #[error("'{0}' is read when the broker starts and cannot be changed while it runs")]
    NotDynamic(ConfigName),
    #[error("'{0}' holds for the whole cluster: set it with an empty broker name")]
    ClusterWide(ConfigName),
    #[error(transparent)]
    Invalid(#[from] InvalidConfig),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllocateRefusal {
    #[error("the cluster has no id yet")]
    NoCluster,
    #[error(transparent)]
    Run(#[from] RunRefusal),
    #[error("{count} producer ids at once are too few or too many")]
    Count { count: u32 },
    #[error("the spare prefix was used before")]
    PrefixUsed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlterPartitionRefusal {
    #[error(transparent)]
    Run(#[from] RunRefusal),
    #[error("no such partition")]
    Unknown,
    #[error("node {0} is not the leader")]
    NotLeader(NodeId),
    #[error("leader epoch is {current}, not {named}")]
    LeaderEpoch { current: LeaderEpoch, named: LeaderEpoch },
    #[error("partition epoch is {current}, not {named}")]
    PartitionEpoch { current: PartitionEpoch, named: PartitionEpoch },
    #[error("the in-sync set must hold the leader and replicas only, each once")]
    InSyncSet,
    #[error("node {0} may not be in sync: it is fenced, or runs with another broker epoch")]
    Ineligible(NodeId),
    #[error("a recovered partition cannot go back, and a recovering one keeps its in-sync set")]
    Recovery,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureRefusal {
    #[error("feature '{0}' is unknown")]
    Unknown(String),
    #[error("feature '{name}' has levels {min} to {max}, not {level}")]
    Level { name: String, level: i16, min: i16, max: i16 },
    #[error("feature '{0}' would be lowered, which was not allowed")]
    Downgrade(String),
}
