//! The configs of groups, by Kafka 4.3's names.

use crate::config::ConfigKind::{Boolean, Int, String};
use crate::config::{ConfigKey, ConfigKind, Rule};

const fn key(
    name: &'static str,
    kind: ConfigKind,
    default: &'static str,
    rule: Rule,
    documentation: &'static str,
) -> ConfigKey {
    ConfigKey { name, kind, default: Some(default), rule, documentation }
}

/// The group config of this name.
#[must_use]
pub fn group_config(name: &str) -> Option<&'static ConfigKey> {
    GROUP_CONFIGS.binary_search_by(|key| key.name.cmp(name)).ok().map(|at| &GROUP_CONFIGS[at])
}

/// Every group config, sorted by name.
pub static GROUP_CONFIGS: &[ConfigKey] = &[
    key(
        "consumer.assignment.interval.ms",
        Int,
        "1000",
        Rule::AtLeast(0),
        "How long a consumer group keeps an assignment at least before a new one is computed.",
    ),
    key(
        "consumer.heartbeat.interval.ms",
        Int,
        "5000",
        Rule::AtLeast(1),
        "How often members of a consumer group are told to send heartbeats.",
    ),
    key(
        "consumer.session.timeout.ms",
        Int,
        "45000",
        Rule::AtLeast(1),
        "How long a member of a consumer group may be silent before it is removed.",
    ),
    key(
        "share.assignment.interval.ms",
        Int,
        "1000",
        Rule::AtLeast(0),
        "How long a share group keeps an assignment at least. Stored and reported, no effect: there are no share groups.",
    ),
    key(
        "share.auto.offset.reset",
        String,
        "latest",
        Rule::OffsetReset,
        "Where a share group starts: latest, earliest, or by_duration: and a duration back from now. Stored and \
         reported, no effect: there are no share groups.",
    ),
    key(
        "share.delivery.count.limit",
        Int,
        "5",
        Rule::AtLeast(2),
        "How often a record is delivered to a share group at most. Stored and reported, no effect: there are no share \
         groups.",
    ),
    key(
        "share.heartbeat.interval.ms",
        Int,
        "5000",
        Rule::AtLeast(1),
        "How often members of a share group are told to send heartbeats. Stored and reported, no effect: there are no \
         share groups.",
    ),
    key(
        "share.isolation.level",
        String,
        "read_uncommitted",
        Rule::OneOf(&["read_committed", "read_uncommitted"]),
        "Whether a share group sees records of transactions before they are committed. Stored and reported, no effect: \
         there are no share groups.",
    ),
    key(
        "share.partition.max.record.locks",
        Int,
        "2000",
        Rule::AtLeast(100),
        "How many records of a partition a share group may hold at once. Stored and reported, no effect: there are no \
         share groups.",
    ),
    key(
        "share.record.lock.duration.ms",
        Int,
        "30000",
        Rule::AtLeast(1000),
        "How long a member of a share group may hold a record. Stored and reported, no effect: there are no share \
         groups.",
    ),
    key(
        "share.renew.acknowledge.enable",
        Boolean,
        "true",
        Rule::Any,
        "Whether members of a share group may hold a record longer by renewing. Stored and reported, no effect: there \
         are no share groups.",
    ),
    key(
        "share.session.timeout.ms",
        Int,
        "45000",
        Rule::AtLeast(1),
        "How long a member of a share group may be silent before it is removed. Stored and reported, no effect: there \
         are no share groups.",
    ),
    key(
        "streams.assignment.interval.ms",
        Int,
        "1000",
        Rule::AtLeast(0),
        "How long a streams group keeps an assignment at least. Stored and reported, no effect: there are no streams \
         groups.",
    ),
    key(
        "streams.heartbeat.interval.ms",
        Int,
        "5000",
        Rule::AtLeast(1),
        "How often members of a streams group are told to send heartbeats. Stored and reported, no effect: there are \
         no streams groups.",
    ),
    key(
        "streams.initial.rebalance.delay.ms",
        Int,
        "3000",
        Rule::AtLeast(0),
        "How long a new streams group waits for more members. Stored and reported, no effect: there are no streams \
         groups.",
    ),
    key(
        "streams.num.standby.replicas",
        Int,
        "0",
        Rule::AtLeast(0),
        "How many standby copies each task of a streams group has. Stored and reported, no effect: there are no \
         streams groups.",
    ),
    key(
        "streams.session.timeout.ms",
        Int,
        "45000",
        Rule::AtLeast(1),
        "How long a member of a streams group may be silent before it is removed. Stored and reported, no effect: \
         there are no streams groups.",
    ),
];
