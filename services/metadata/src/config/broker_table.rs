//! The configs of brokers that this server has, by Kafka's names.

use crate::config::ConfigKind::{Boolean, Double, Int, List, Long, Short, String};
use crate::config::{ConfigKey, ConfigKind, Rule};

/// Who may change a broker config while brokers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Nobody: it comes from the server's configuration.
    ReadOnly,
    /// Clients, for the whole cluster.
    Cluster,
}

/// A broker config.
#[derive(Clone, Copy, Debug)]
pub struct BrokerConfig {
    pub key: ConfigKey,
    pub update: Update,
    /// The topic config whose default this is.
    pub topic: Option<&'static str>,
}

const fn fixed(
    name: &'static str,
    kind: ConfigKind,
    default: Option<&'static str>,
    documentation: &'static str,
) -> BrokerConfig {
    let key = ConfigKey { name, kind, default, rule: Rule::Any, documentation };
    BrokerConfig { key, update: Update::ReadOnly, topic: None }
}

/// The default of a topic config, changeable for the cluster. Its rule is the topic config's.
const fn of_topics(
    name: &'static str,
    kind: ConfigKind,
    default: Option<&'static str>,
    topic: &'static str,
) -> BrokerConfig {
    let documentation = "The default of the topic config that has this among its synonyms.";
    let key = ConfigKey { name, kind, default, rule: Rule::Any, documentation };
    BrokerConfig { key, update: Update::Cluster, topic: Some(topic) }
}

/// The broker config of this name.
#[must_use]
pub fn broker_config(name: &str) -> Option<&'static BrokerConfig> {
    BROKER_CONFIGS.binary_search_by(|broker| broker.key.name.cmp(name)).ok().map(|at| &BROKER_CONFIGS[at])
}

const LONG_MAX: Option<&str> = Some("9223372036854775807");
const UNIT: &str =
    "The default of the topic config that has this among its synonyms, in the unit of its name.";

/// Every broker config, sorted by name. Values that come from the server's configuration are given by the server.
pub static BROKER_CONFIGS: &[BrokerConfig] = &[
    fixed("advertised.listeners", List, None, "The addresses that clients are told, by listener."),
    fixed(
        "auto.create.topics.enable",
        Boolean,
        Some("true"),
        "Whether a topic is made when a client asks for its metadata and allows it.",
    ),
    fixed("broker.id", Int, Some("-1"), "The node id."),
    fixed(
        "broker.rack",
        String,
        None,
        "Where the broker stands; copies of a partition are spread over racks.",
    ),
    of_topics("compression.gzip.level", Int, Some("-1"), "compression.gzip.level"),
    of_topics("compression.lz4.level", Int, Some("9"), "compression.lz4.level"),
    of_topics("compression.type", String, Some("producer"), "compression.type"),
    of_topics("compression.zstd.level", Int, Some("3"), "compression.zstd.level"),
    fixed(
        "connections.max.idle.ms",
        Long,
        Some("600000"),
        "How long a connection may be idle before it is closed.",
    ),
    fixed(
        "default.replication.factor",
        Int,
        Some("1"),
        "Copies of a partition where the creator names no number: as many as there are brokers, three at most.",
    ),
    fixed("delete.topic.enable", Boolean, Some("true"), "Whether topics can be deleted."),
    fixed("fetch.max.bytes", Int, Some("57671680"), "The most bytes that one fetch returns."),
    fixed(
        "group.consumer.heartbeat.interval.ms",
        Int,
        Some("5000"),
        "How often members of a consumer group are told to send heartbeats.",
    ),
    fixed("group.consumer.max.size", Int, Some("2147483647"), "The most members of a consumer group."),
    fixed(
        "group.consumer.session.timeout.ms",
        Int,
        Some("45000"),
        "How long a member of a consumer group may be silent before it is removed.",
    ),
    fixed(
        "group.initial.rebalance.delay.ms",
        Int,
        Some("3000"),
        "How long a new classic group waits for more members before its first assignment.",
    ),
    fixed(
        "group.max.session.timeout.ms",
        Int,
        Some("1800000"),
        "The longest session timeout that a classic member may ask for.",
    ),
    fixed("group.max.size", Int, Some("2147483647"), "The most members of a classic group."),
    fixed(
        "group.min.session.timeout.ms",
        Int,
        Some("6000"),
        "The shortest session timeout that a classic member may ask for.",
    ),
    fixed("listeners", List, Some("PLAINTEXT://:9092"), "The addresses that the broker listens on."),
    of_topics("log.cleaner.delete.retention.ms", Long, Some("86400000"), "delete.retention.ms"),
    of_topics("log.cleaner.max.compaction.lag.ms", Long, LONG_MAX, "max.compaction.lag.ms"),
    of_topics("log.cleaner.min.cleanable.ratio", Double, Some("0.5"), "min.cleanable.dirty.ratio"),
    of_topics("log.cleaner.min.compaction.lag.ms", Long, Some("0"), "min.compaction.lag.ms"),
    of_topics("log.cleanup.policy", List, Some("delete"), "cleanup.policy"),
    fixed("log.dirs", List, None, "The data directories."),
    of_topics("log.flush.interval.messages", Long, LONG_MAX, "flush.messages"),
    of_topics("log.flush.interval.ms", Long, None, "flush.ms"),
    fixed("log.flush.scheduler.interval.ms", Long, LONG_MAX, UNIT),
    of_topics("log.index.interval.bytes", Int, Some("4096"), "index.interval.bytes"),
    of_topics("log.index.size.max.bytes", Int, Some("10485760"), "segment.index.bytes"),
    of_topics("log.local.retention.bytes", Long, Some("-2"), "local.retention.bytes"),
    of_topics("log.local.retention.ms", Long, Some("-2"), "local.retention.ms"),
    of_topics("log.message.timestamp.after.max.ms", Long, Some("3600000"), "message.timestamp.after.max.ms"),
    of_topics("log.message.timestamp.before.max.ms", Long, LONG_MAX, "message.timestamp.before.max.ms"),
    of_topics("log.message.timestamp.type", String, Some("CreateTime"), "message.timestamp.type"),
    of_topics("log.preallocate", Boolean, Some("false"), "preallocate"),
    of_topics("log.retention.bytes", Long, Some("-1"), "retention.bytes"),
    fixed(
        "log.retention.check.interval.ms",
        Long,
        Some("300000"),
        "How often the log looks for segments that retention removes.",
    ),
    fixed("log.retention.hours", Int, Some("168"), UNIT),
    fixed("log.retention.minutes", Int, None, UNIT),
    of_topics("log.retention.ms", Long, None, "retention.ms"),
    fixed("log.roll.hours", Int, Some("168"), UNIT),
    fixed("log.roll.jitter.hours", Int, Some("0"), UNIT),
    of_topics("log.roll.jitter.ms", Long, None, "segment.jitter.ms"),
    of_topics("log.roll.ms", Long, None, "segment.ms"),
    of_topics("log.segment.bytes", Int, Some("1073741824"), "segment.bytes"),
    of_topics("log.segment.delete.delay.ms", Long, Some("60000"), "file.delete.delay.ms"),
    fixed("max.connections", Int, Some("2147483647"), "The most connections that the broker takes."),
    fixed(
        "max.connections.per.ip",
        Int,
        Some("2147483647"),
        "The most connections that it takes from one address.",
    ),
    fixed(
        "max.incremental.fetch.session.cache.slots",
        Int,
        Some("1000"),
        "The most fetch sessions; further fetches work without one.",
    ),
    of_topics("message.max.bytes", Int, Some("1048588"), "max.message.bytes"),
    of_topics("min.insync.replicas", Int, Some("2"), "min.insync.replicas"),
    fixed("node.id", Int, None, "The node id."),
    fixed("num.partitions", Int, Some("1"), "Partitions of a topic whose creator names no number."),
    fixed(
        "offsets.retention.minutes",
        Int,
        Some("10080"),
        "How long the offsets of an empty group are kept.",
    ),
    fixed("offsets.topic.num.partitions", Int, Some("50"), "Partitions of __consumer_offsets."),
    fixed(
        "offsets.topic.replication.factor",
        Short,
        Some("3"),
        "Copies of the partitions of __consumer_offsets.",
    ),
    fixed(
        "producer.id.expiration.ms",
        Int,
        Some("86400000"),
        "How long a partition remembers a silent producer.",
    ),
    fixed("socket.request.max.bytes", Int, Some("104857600"), "The largest request that is accepted."),
    of_topics("unclean.leader.election.enable", Boolean, Some("false"), "unclean.leader.election.enable"),
];
