//! The cluster as one deterministic state machine: commands in, an image and deltas out.
//!
//! `State::apply` takes the commands of the metadata log in order and answers each; the same commands give the same
//! state, and the same bytes of a snapshot, everywhere. `State::image` is what everybody else reads: a clone of a few
//! pointers that later commands do not change.

#![forbid(unsafe_code)]

mod answer;
mod broker;
mod codec;
mod command;
mod config;
mod cow_map;
mod delta;
mod features;
mod image;
mod partition;
mod producer_ids;
mod state;
mod topic;

pub use answer::{
    AllocateRefusal, AlterConfigRefusal, AlterPartitionRefusal, Answer, CreatePartitionsRefusal,
    CreateTopicRefusal, DeletedTopic, FeatureRefusal, FenceRefusal, InitRefusal, NotLeading,
    PartitionCountRefusal, PlacementRefusal, RegisterRefusal, RunRefusal, TierCommandRefusal,
    UndeleteRefusal, UnknownTopic,
};
pub use broker::{Broker, Endpoint, SecurityProtocol};
pub use codec::{DecodeError, decode_command, decode_snapshot, encode_command, encode_snapshot};
pub use command::{
    AllocateProducerIds, AlterConfig, AlterPartition, AlterPartitions, BrokerRun, Change, Command,
    ConfigChange, ConfigOperation, ConfigSetting, FeatureUpdate, Fence, FenceIf, InitCluster, NewPartitions,
    NewTopic, PlacedReplica, Placement, RecoveryVerdict, RegisterBroker, TierAdd, TierCommit, TierDelete,
    TierDeleteReplaced, TierMove, TierReplace, TierStretch, TierTrim, TopicKey, UndeleteTopic, Verdict,
};
pub use config::{
    BROKER_CONFIGS, BrokerConfig, CleanupPolicy, Compression, ConfigEntry, ConfigKey, ConfigKind, ConfigMap,
    ConfigName, ConfigResource, ConfigSource, ConfigSynonym, Durability, GROUP_CONFIGS, InvalidConfig,
    InvalidResource, InvalidValue, Rule, TOPIC_CONFIGS, TimestampType, TopicConfig, TopicConfigKey, Update,
    broker_config, group_config, topic_config,
};
pub use delta::Delta;
pub use features::{FEATURES, Feature, METADATA_FEATURE, METADATA_LEVEL};
pub use image::Image;
pub use partition::{DirectorySlot, Partition, REPLICAS_MAX, RecoveryState, Replica};
pub use producer_ids::{PRODUCER_BLOCK_MAX, ProducerIdBlock, ProducerPrefix};
pub use state::{
    BROKERS_MAX, Deleted, GROUP_CONFIGS_MAX, PARTITIONS_MAX, PARTITIONS_PER_TOPIC_MAX, Restore, State,
};
pub use topic::Topic;
