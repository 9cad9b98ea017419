//! Works on consumer groups and on programs that consume.

use serde::Deserialize;

/// Members that have what they are to have, and do nothing but say so.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Members {
    pub groups: usize,
    /// Of each group.
    pub members: usize,
    /// Of the one topic that every group reads.
    pub partitions: i32,
    pub connections: usize,
}

/// Offsets of one member that is given all partitions, one partition a request.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Commits {
    pub committers: usize,
    pub partitions: i32,
    pub in_flight: usize,
}

/// One member of a group leaves.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Departure {
    pub members: usize,
    pub partitions: i32,
}

/// Consumers of a partition each, to which nothing comes; each has a connection of its own.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdleConsumers {
    pub consumers: usize,
    pub wait_ms: u64,
}

/// A start behind SIGKILL, with offsets committed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reload {
    pub groups: usize,
    /// Of which each group has an offset each.
    pub partitions: i32,
    /// All groups in one partition of `__consumer_offsets`, rather than spread over all of them.
    pub in_one_shard: bool,
}

/// A program that reads a topic from start to end.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Consume {
    pub program: Program,
    pub bytes: usize,
    pub partitions: i32,
    pub batch_bytes: usize,
    pub record_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// `aquifer consume`, without a group.
    Aquifer,
    /// kcat, which is librdkafka, as the only member of a group.
    Kcat,
    /// The Java consumer as the only member of a group.
    Java,
}

impl Default for Members {
    fn default() -> Members {
        Members { groups: 1_000, members: 4, partitions: 1_000, connections: 8 }
    }
}

impl Default for Commits {
    fn default() -> Commits {
        Commits { committers: 8, partitions: 100, in_flight: 5 }
    }
}

impl Default for Departure {
    fn default() -> Departure {
        Departure { members: 100, partitions: 1_000 }
    }
}

impl Default for IdleConsumers {
    fn default() -> IdleConsumers {
        IdleConsumers { consumers: 5_000, wait_ms: 500 }
    }
}

impl Default for Reload {
    fn default() -> Reload {
        Reload { groups: 1_000, partitions: 1_000, in_one_shard: false }
    }
}

impl Default for Consume {
    fn default() -> Consume {
        Consume {
            program: Program::Aquifer,
            bytes: 1 << 30,
            partitions: 1,
            batch_bytes: 1 << 20,
            record_bytes: 1024,
        }
    }
}
