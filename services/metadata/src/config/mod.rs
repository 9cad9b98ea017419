//! Configs of topics, brokers and groups: every name with its type, default, rule and text, and what is in force.

mod alter;
mod broker_table;
mod entry;
mod group_table;
mod key;
mod map;
mod resource;
mod topic_config;
mod topic_table;

pub use broker_table::{BROKER_CONFIGS, BrokerConfig, Update, broker_config};
pub use entry::{ConfigEntry, ConfigSource, ConfigSynonym};
pub use group_table::{GROUP_CONFIGS, group_config};
pub use key::{ConfigKey, ConfigKind, ConfigName, InvalidConfig, InvalidValue, Rule};
pub use map::ConfigMap;
pub use resource::{ConfigResource, InvalidResource};
pub use topic_config::{CleanupPolicy, Compression, Durability, TimestampType, TopicConfig};
pub use topic_table::{TOPIC_CONFIGS, TopicConfigKey, topic_config};

pub(crate) use alter::{GROUP_ID_BYTES_MAX, Table, altered, conflict};
pub(crate) use entry::{broker_entries, group_entries, topic_entries};
