//! `Settings` of groups by Kafka's names, and `Limits`: what bounds everything that clients can make grow.

/// What an operator may set; defaults are Kafka 4.3's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `group.initial.rebalance.delay.ms`
    pub initial_rebalance_delay_ms: u64,
    /// `group.min.session.timeout.ms`
    pub session_timeout_min_ms: i32,
    /// `group.max.session.timeout.ms`
    pub session_timeout_max_ms: i32,
    /// `group.max.size`
    pub classic_size_max: usize,
    /// `offset.metadata.max.bytes`
    pub offset_metadata_bytes_max: usize,
    /// `offsets.retention.minutes`, in milliseconds
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`
    pub offsets_check_interval_ms: u64,
    pub consumer: ConsumerSettings,
    pub limits: Limits,
}

/// What is set for groups of the consumer protocol: `group.consumer.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSettings {
    /// `group.consumer.session.timeout.ms`
    pub session_timeout_ms: i32,
    /// `group.consumer.heartbeat.interval.ms`
    pub heartbeat_interval_ms: i32,
    /// `group.consumer.assignment.interval.ms`
    pub assignment_interval_ms: i32,
    /// `group.consumer.migration.policy`
    pub migration: Migration,
    /// `group.consumer.max.size`
    pub size_max: usize,
    /// The session timeouts that one member may ask for.
    pub own_session_timeout_min_ms: i32,
    pub own_session_timeout_max_ms: i32,
}

/// In which direction groups with members go over to the other protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Migration {
    Disabled,
    /// A classic group, when a member of the consumer protocol comes.
    Upgrade,
    /// A consumer group, when only classic members are left.
    Downgrade,
    #[default]
    Bidirectional,
}

impl Migration {
    pub(crate) fn upgrades(self) -> bool {
        matches!(self, Migration::Upgrade | Migration::Bidirectional)
    }

    pub(crate) fn downgrades(self) -> bool {
        matches!(self, Migration::Downgrade | Migration::Bidirectional)
    }
}

/// What one group is set to do other than the rest; absent fields are as for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupConfig {
    /// `consumer.session.timeout.ms`
    pub session_timeout_ms: Option<i32>,
    /// `consumer.heartbeat.interval.ms`
    pub heartbeat_interval_ms: Option<i32>,
    /// `consumer.assignment.interval.ms`
    pub assignment_interval_ms: Option<i32>,
}

/// What holds for one group of the consumer protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Intervals {
    pub(crate) session_timeout_ms: i32,
    pub(crate) heartbeat_interval_ms: i32,
    pub(crate) assignment_interval_ms: i32,
}

impl ConsumerSettings {
    pub(crate) fn intervals(&self, group: GroupConfig) -> Intervals {
        Intervals {
            session_timeout_ms: group.session_timeout_ms.unwrap_or(self.session_timeout_ms),
            heartbeat_interval_ms: group.heartbeat_interval_ms.unwrap_or(self.heartbeat_interval_ms),
            assignment_interval_ms: group.assignment_interval_ms.unwrap_or(self.assignment_interval_ms),
        }
    }
}

/// Bounds of what one shard holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Ids handed out with MEMBER_ID_REQUIRED and not yet used, in one group.
    pub pending_ids_max: usize,
    /// A client's, group's, instance's or protocol's name.
    pub name_bytes_max: usize,
    /// All protocols of one classic member together, or all subscribed names of a consumer member.
    pub member_bytes_max: usize,
    /// All assignments of one generation together: they become one record.
    pub assignment_bytes_max: usize,
    pub pattern_bytes_max: usize,
    /// Patterns that the members of one group use: each is matched against all topics whenever these change.
    pub patterns_max: usize,
    /// Topics that one pattern stands for, the first of them by name: they become one record.
    pub pattern_topics_max: usize,
    /// What groups, members and offsets of the shard are estimated to take.
    pub shard_bytes_max: usize,
    /// Records of one expiry, so that its batch stays small.
    pub expiry_records_max: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            initial_rebalance_delay_ms: 3_000,
            session_timeout_min_ms: 6_000,
            session_timeout_max_ms: 1_800_000,
            classic_size_max: i32::MAX as usize,
            offset_metadata_bytes_max: 4_096,
            offsets_retention_ms: 7 * 24 * 3_600_000,
            offsets_check_interval_ms: 600_000,
            consumer: ConsumerSettings::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for ConsumerSettings {
    fn default() -> ConsumerSettings {
        ConsumerSettings {
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 5_000,
            assignment_interval_ms: 1_000,
            migration: Migration::default(),
            size_max: i32::MAX as usize,
            own_session_timeout_min_ms: 10_000,
            own_session_timeout_max_ms: 1_800_000,
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            pending_ids_max: 1_000,
            name_bytes_max: 1_024,
            member_bytes_max: 256 << 10,
            assignment_bytes_max: 8 << 20,
            pattern_bytes_max: 4_096,
            patterns_max: 64,
            pattern_topics_max: 10_000,
            shard_bytes_max: 256 << 20,
            expiry_records_max: 1_000,
        }
    }
}
