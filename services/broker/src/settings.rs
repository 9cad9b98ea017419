//! `Settings`: what an operator decides about a broker, and its limits.

use std::collections::BTreeMap;
use std::time::Duration;

/// What a broker is told once, at start.
#[derive(Clone, Debug)]
pub struct Settings {
    pub rack: Option<String>,
    /// Whether Metadata may make topics it is asked for.
    pub auto_create_topics: bool,
    /// Partitions of a topic whose creator left the number to us.
    pub default_partitions: i32,
    /// What the server's own configuration says, by Kafka's names: shown by DescribeConfigs, read-only.
    pub reported: BTreeMap<String, String>,
    /// How long a fetch answer may be, whatever the client allows.
    pub fetch_bytes_max: u64,
    /// How many fetch sessions are remembered.
    pub fetch_sessions_max: usize,
    /// How often retention is looked at.
    pub retention_interval: Duration,
    /// How often compacted topics are looked at.
    pub cleaning_interval: Duration,
    /// Where sealed ranges go, if anywhere.
    pub tier: Option<crate::tier::TierSettings>,
    /// What topics are given whose creators say nothing about it: tiered, for instance.
    pub new_topics: Vec<(String, String)>,
    /// And what those are given besides that come about because a client asked for them.
    pub auto_topics: Vec<(String, String)>,
    /// How consumer groups are kept.
    pub groups: aquifer_group::Settings,
    /// What one cleaning may take.
    pub cleaning: aquifer_hotlog::Limits,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            rack: None,
            auto_create_topics: false,
            default_partitions: 1,
            reported: BTreeMap::new(),
            fetch_bytes_max: 55 << 20,
            fetch_sessions_max: 2_000,
            retention_interval: Duration::from_secs(60),
            cleaning_interval: Duration::from_secs(5),
            tier: None,
            new_topics: Vec::new(),
            auto_topics: Vec::new(),
            groups: aquifer_group::Settings::default(),
            cleaning: aquifer_hotlog::Limits::default(),
        }
    }
}
