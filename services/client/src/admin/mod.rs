//! What operators ask of a cluster: topics, configs, records, groups, the cluster itself.

mod cluster;
mod configs;
mod groups;
mod offsets;
mod records;
mod topics;

pub use cluster::{Api, Broker, ClusterDescription, Feature, LogDir, LogDirReplica, Quorum, QuorumReplica};
pub use configs::{ConfigChange, ConfigEntry, ConfigSource, Resource};
pub use groups::{GroupDescription, GroupKind, GroupListing, GroupMember};
pub use offsets::{Committed, Committer, NewOffset};
pub use topics::{CreatedTopic, NewTopic, PartitionDescription, TopicConfig, TopicDescription};
