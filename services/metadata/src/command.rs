//! `Command`: every change of the cluster's metadata. What is not deterministic (time, ids, placements) is inside.

use aquifer_types::{
    BrokerEpoch, ClusterId, DirectoryId, FencingToken, Incarnation, LeaderEpoch, NodeId, Offset,
    PartitionEpoch, PartitionIndex, TimestampMs, TopicId, TopicName, TopicPartition,
};

use aquifer_manifest::{BundleKey, ObjectKey, TierRange};

use crate::broker::Endpoint;
use crate::config::ConfigResource;
use crate::partition::RecoveryState;
use crate::producer_ids::ProducerPrefix;

/// One entry of the metadata log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The proposer's clock. The cluster's own time follows the greatest of these and never goes back.
    pub time: TimestampMs,
    pub change: Change,
}

/// What a command changes. Each is validated again when it is applied, so that a stale proposal is refused then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only moves the cluster's time.
    Tick,
    InitCluster(InitCluster),
    RegisterBroker(RegisterBroker),
    /// Takes all roles from a run of a broker.
    FenceBroker(BrokerRun),
    /// Lets a run of a broker take roles: partitions without a leader elect one.
    UnfenceBroker(BrokerRun),
    CreateTopics(Vec<NewTopic>),
    DeleteTopics(Vec<TopicKey>),
    CreatePartitions(Vec<NewPartitions>),
    AlterConfigs(Vec<AlterConfig>),
    AllocateProducerIds(AllocateProducerIds),
    AlterPartitions(AlterPartitions),
    UpdateFeatures(Vec<FeatureUpdate>),
    TierCommit(TierCommit),
    TierTrim(TierTrim),
    TierDelete(TierDelete),
    /// Objects of ranges up to these offsets are gone.
    TierForget(Vec<(TopicPartition, Offset)>),
    TierReplace(TierReplace),
    TierDeleteReplaced(TierDeleteReplaced),
    /// Objects of replaced ranges, up to these, that are gone.
    TierForgetReplaced(Vec<(TopicPartition, ObjectKey)>),
    /// Bundles that are gone.
    TierForgetBundles(Vec<BundleKey>),
    UndeleteTopic(UndeleteTopic),
    Fence(Fence),
}

/// The first command of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitCluster {
    pub cluster: ClusterId,
    pub producer_prefix: ProducerPrefix,
    /// The metadata level that the cluster starts at.
    pub level: i16,
}

/// A process says that it runs a broker. The index of this command is its broker epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterBroker {
    pub node: NodeId,
    pub incarnation: Incarnation,
    pub endpoints: Vec<Endpoint>,
    pub rack: Option<String>,
    pub directories: Vec<DirectoryId>,
    /// The broker epoch that the last run noted when it stopped cleanly; none after a crash.
    pub clean_epoch: Option<BrokerEpoch>,
    /// What recovery found, where it was not `Clean`.
    pub verdicts: Vec<RecoveryVerdict>,
}

/// What recovery found in one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryVerdict {
    pub partition: TopicPartition,
    pub verdict: Verdict,
}

/// How a replica's files were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Clean,
    /// Only bytes beyond what was acknowledged as flushed are missing.
    TornTail,
    /// Bytes below what was flushed are damaged. Never leads.
    Corrupt,
    /// Files that must be there are not. Never leads.
    Missing,
}

/// One run of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokerRun {
    pub node: NodeId,
    pub epoch: BrokerEpoch,
}

/// A topic to be made. A topic that has this name and this id already is a retry and answered as made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    pub name: TopicName,
    pub id: TopicId,
    /// One entry per partition, from 0.
    pub partitions: Vec<Placement>,
    /// The creator left the replication factor to the cluster.
    pub replication_default: bool,
    pub configs: Vec<ConfigSetting>,
}

/// Where the copies of one partition are put, preferred leader first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement(pub Vec<PlacedReplica>);

/// One copy of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedReplica {
    pub node: NodeId,
    pub directory: DirectoryId,
}

/// A config name with its value as the client wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSetting {
    pub name: String,
    pub value: Option<String>,
}

/// A topic by id or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicKey {
    Id(TopicId),
    Name(TopicName),
}

/// More partitions for a topic, if it still has `expected`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPartitions {
    pub topic: TopicName,
    pub expected: i32,
    /// One entry per added partition.
    pub partitions: Vec<Placement>,
}

/// Changes of one resource's configs, all or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterConfig {
    pub resource: ConfigResource,
    /// Forget first what was set before: Kafka's older AlterConfigs.
    pub replace: bool,
    pub changes: Vec<ConfigChange>,
}

/// One change of one config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    pub name: String,
    pub operation: ConfigOperation,
    pub value: Option<String>,
}

/// What to do with a config, with Kafka's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigOperation {
    Set = 0,
    Delete = 1,
    Append = 2,
    Subtract = 3,
}

impl ConfigOperation {
    /// The operation that a client's number names.
    #[must_use]
    pub fn from_number(number: i8) -> Option<ConfigOperation> {
        match number {
            0 => Some(ConfigOperation::Set),
            1 => Some(ConfigOperation::Delete),
            2 => Some(ConfigOperation::Append),
            3 => Some(ConfigOperation::Subtract),
            _ => None,
        }
    }
}

/// A block of producer ids for a broker to hand out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocateProducerIds {
    pub run: BrokerRun,
    pub count: u32,
    /// Becomes the cluster's prefix if the current one is used up.
    pub spare_prefix: ProducerPrefix,
}

/// A leader says who is in sync with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterPartitions {
    pub run: BrokerRun,
    pub partitions: Vec<AlterPartition>,
}

/// A change of one partition, if both epochs are still current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterPartition {
    pub partition: TopicPartition,
    pub leader_epoch: LeaderEpoch,
    pub partition_epoch: PartitionEpoch,
    /// The in-sync set to be, each with the run that was seen.
    pub isr: Vec<BrokerRun>,
    pub recovery: RecoveryState,
}

/// A finalized level to be raised or lowered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureUpdate {
    pub name: String,
    pub level: i16,
    pub allow_downgrade: bool,
}

/// Ranges whose objects are wholly in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierCommit {
    pub run: BrokerRun,
    pub ranges: Vec<TierAdd>,
}

/// One range, if the tier still ends at the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierAdd {
    pub at: TierMove,
    pub range: TierRange,
}

/// Ranges that take the place of others, their objects wholly in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierReplace {
    pub run: BrokerRun,
    pub stretches: Vec<TierStretch>,
}

/// Ranges that hold exactly the offsets of live ones, from the offset on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierStretch {
    pub at: TierMove,
    pub ranges: Vec<TierRange>,
}

/// Logs that start later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierTrim {
    pub run: BrokerRun,
    pub starts: Vec<TierMove>,
}

/// An offset of a partition, as its leader sees it in this epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierMove {
    pub partition: TopicPartition,
    pub leader_epoch: LeaderEpoch,
    pub offset: Offset,
}

/// A deleted topic comes back under another id, for which its objects were copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndeleteTopic {
    pub deleted: TopicId,
    pub topic: NewTopic,
}

/// A partition's fencing token becomes another one, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    pub run: BrokerRun,
    pub partition: TopicPartition,
    pub leader_epoch: LeaderEpoch,
    pub token: Option<FencingToken>,
    pub condition: FenceIf,
}

/// On what condition a fencing token is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceIf {
    Any,
    /// The token is this one, or there is none.
    Is(Option<FencingToken>),
}

/// Ranges to be deleted, up to these offsets, that were unlinked so long ago that no reader knows them any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierDelete {
    pub grace_ms: i64,
    pub upto: Vec<(TopicPartition, Offset)>,
}

/// Ranges to be deleted, up to these, that were replaced so long ago that no reader knows them any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierDeleteReplaced {
    pub grace_ms: i64,
    pub upto: Vec<(TopicPartition, ObjectKey)>,
}

impl NewPartitions {
    /// How many partitions the topic will have.
    #[must_use]
    pub fn upto(&self) -> PartitionIndex {
        let added = i32::try_from(self.partitions.len()).unwrap_or(i32::MAX);
        PartitionIndex(self.expected.saturating_add(added))
    }
}
