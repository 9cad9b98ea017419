//! The configs of topics: every name of Kafka 4.3, and ours.

use crate::config::ConfigKind::{Boolean, Double, Int, List, Long, String};
use crate::config::{ConfigKey, ConfigKind, Rule};

/// A topic config and the broker configs that give its default.
#[derive(Clone, Copy, Debug)]
pub struct TopicConfigKey {
    pub key: ConfigKey,
    /// Broker configs of the same meaning, the strongest first; the first can be set for the whole cluster.
    pub broker_names: &'static [&'static str],
    /// For tests: reported only where it is set.
    pub hidden: bool,
}

impl TopicConfigKey {
    const fn new(name: &'static str, kind: ConfigKind, default: &'static str, rule: Rule) -> TopicConfigKey {
        let key = ConfigKey { name, kind, default: Some(default), rule, documentation: "" };
        TopicConfigKey { key, broker_names: &[], hidden: false }
    }

    const fn broker(self, broker_names: &'static [&'static str]) -> TopicConfigKey {
        TopicConfigKey { broker_names, ..self }
    }

    const fn text(self, documentation: &'static str) -> TopicConfigKey {
        TopicConfigKey { key: ConfigKey { documentation, ..self.key }, ..self }
    }
}

/// The topic config of this name.
#[must_use]
pub fn topic_config(name: &str) -> Option<&'static TopicConfigKey> {
    TOPIC_CONFIGS.binary_search_by(|topic| topic.key.name.cmp(name)).ok().map(|at| &TOPIC_CONFIGS[at])
}

const LONG_MAX: &str = "9223372036854775807";
/// Kafka asks for a mebibyte; small ones let a tier be tried out with little data.
const SEGMENT_BYTES_MIN: i64 = 65_536;
const LZ4_LEVELS: Rule = Rule::Between(1, 17);
const ZSTD_LEVELS: Rule = Rule::Between(-131_072, 22);

/// Every topic config, sorted by name.
pub static TOPIC_CONFIGS: &[TopicConfigKey] = &[
    TopicConfigKey::new("aquifer.chunks.max.age.ms", Long, "31536000000", Rule::Between(0, 31_536_000_000)).text(
        "For how long HTTP caches may keep chunks of the topic, whatever retention and deletions take from it \
         meanwhile.",
    ),
    TopicConfigKey::new("aquifer.chunks.public", Boolean, "false", Rule::Any)
        .text("Whether HTTP caches that many callers share may keep chunks of the topic."),
    TopicConfigKey::new("aquifer.durability", String, "flushed", Rule::OneOf(&["flushed", "page-cache"])).text(
        "What an acknowledgement promises: flushed means that every in-sync replica has the record on disk, page-cache \
         that every one of them has it in memory and writes it to disk later.",
    ),
    TopicConfigKey::new("cleanup.policy", List, "delete", Rule::OneOf(&["compact", "delete"]))
        .broker(&["log.cleanup.policy"])
        .text(
            "What removes old records: delete removes whole segments by age and size, compact keeps the newest record \
             of each key, both together do both, an empty list keeps everything.",
        ),
    TopicConfigKey::new("compression.gzip.level", Int, "-1", Rule::BetweenOr(1, 9, -1))
        .broker(&["compression.gzip.level"])
        .text("How hard gzip tries where the broker compresses: 1 to 9, or -1 for the codec's own default."),
    TopicConfigKey::new("compression.lz4.level", Int, "9", LZ4_LEVELS)
        .broker(&["compression.lz4.level"])
        .text("How hard lz4 tries where the broker compresses."),
    TopicConfigKey::new(
        "compression.type",
        String,
        "producer",
        Rule::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
    )
    .broker(&["compression.type"])
    .text(
        "How batches are stored: producer keeps them as they were sent, which is the quick way; anything else makes \
         the broker compress again, once, what arrives in another form.",
    ),
    TopicConfigKey::new("compression.zstd.level", Int, "3", ZSTD_LEVELS)
        .broker(&["compression.zstd.level"])
        .text("How hard zstd tries where the broker compresses."),
    TopicConfigKey::new("delete.retention.ms", Long, "86400000", Rule::AtLeast(0))
        .broker(&["log.cleaner.delete.retention.ms"])
        .text(
            "How long a tombstone stays in a compacted topic after compaction has first seen it: the time a reader \
             from the start has to learn of the deletion.",
        ),
    TopicConfigKey::new("file.delete.delay.ms", Long, "60000", Rule::AtLeast(0))
        .broker(&["log.segment.delete.delay.ms"])
        .text(
            "How long files of removed segments stay on disk. Stored and reported, no effect: a file goes as soon as \
             no reader holds it.",
        ),
    TopicConfigKey::new("flush.messages", Long, LONG_MAX, Rule::AtLeast(1))
        .broker(&["log.flush.interval.messages"])
        .text(
            "On a page-cache topic, flush after this many records. Elsewhere stored and reported, no effect: every \
             acknowledged record is flushed.",
        ),
    TopicConfigKey::new("flush.ms", Long, LONG_MAX, Rule::AtLeast(0))
        .broker(&["log.flush.interval.ms", "log.flush.scheduler.interval.ms"])
        .text(
            "On a page-cache topic, flush what is older than this. Elsewhere stored and reported, no effect: every \
             acknowledged record is flushed.",
        ),
    TopicConfigKey::new("follower.replication.throttled.replicas", List, "", Rule::ThrottledReplicas).text(
        "Replicas that copy at a limited rate, as partition:node pairs or *. Stored and reported, no effect.",
    ),
    TopicConfigKey::new("index.interval.bytes", Int, "4096", Rule::AtLeast(0))
        .broker(&["log.index.interval.bytes"])
        .text("Distance of index entries. Stored and reported, no effect: the distance is fixed."),
    TopicConfigKey {
        key: ConfigKey {
            name: "internal.segment.bytes",
            kind: Int,
            default: None,
            rule: Rule::AtLeast(1),
            documentation: "Takes the place of segment.bytes without its lower limit, for tests.",
        },
        broker_names: &[],
        hidden: true,
    },
    TopicConfigKey::new("leader.replication.throttled.replicas", List, "", Rule::ThrottledReplicas).text(
        "Replicas that are copied from at a limited rate, as partition:node pairs or *. Stored and reported, no effect.",
    ),
    TopicConfigKey::new("local.retention.bytes", Long, "-2", Rule::AtLeast(-2))
        .broker(&["log.local.retention.bytes"])
        .text(
            "Bytes of a tiered partition that stay on local disk; -2 means as retention.bytes. What is not in the tier \
             yet stays whatever this says.",
        ),
    TopicConfigKey::new("local.retention.ms", Long, "-2", Rule::AtLeast(-2))
        .broker(&["log.local.retention.ms"])
        .text(
            "How long records of a tiered partition stay on local disk; -2 means as retention.ms. What is not in the tier \
             yet stays whatever this says.",
        ),
    TopicConfigKey::new("max.compaction.lag.ms", Long, LONG_MAX, Rule::AtLeast(1))
        .broker(&["log.cleaner.max.compaction.lag.ms"])
        .text("In a compacted topic, a record is older than this only if compaction has seen it, however clean the log."),
    TopicConfigKey::new("max.message.bytes", Int, "1048588", Rule::AtLeast(0))
        .broker(&["message.max.bytes"])
        .text("The largest batch that is accepted, as it is stored, its header included."),
    TopicConfigKey::new("message.timestamp.after.max.ms", Long, "3600000", Rule::AtLeast(0))
        .broker(&["log.message.timestamp.after.max.ms"])
        .text("How far ahead of the broker's clock a record's own timestamp may be. Ignored with LogAppendTime."),
    TopicConfigKey::new("message.timestamp.before.max.ms", Long, LONG_MAX, Rule::AtLeast(0))
        .broker(&["log.message.timestamp.before.max.ms"])
        .text("How far behind the broker's clock a record's own timestamp may be. Ignored with LogAppendTime."),
    TopicConfigKey::new("message.timestamp.type", String, "CreateTime", Rule::OneOf(&["CreateTime", "LogAppendTime"]))
        .broker(&["log.message.timestamp.type"])
        .text("Whether records keep their producer's timestamps or take the broker's when they arrive."),
    TopicConfigKey::new("min.cleanable.dirty.ratio", Double, "0.5", Rule::Fraction)
        .broker(&["log.cleaner.min.cleanable.ratio"])
        .text(
            "In a compacted topic, the share of the log that must be new before it is compacted: less saves space, \
             more saves work.",
        ),
    TopicConfigKey::new("min.compaction.lag.ms", Long, "0", Rule::AtLeast(0))
        .broker(&["log.cleaner.min.compaction.lag.ms"])
        .text("In a compacted topic, how old a record is at least before a newer one may replace it."),
    TopicConfigKey::new("min.insync.replicas", Int, "2", Rule::AtLeast(1)).broker(&["min.insync.replicas"]).text(
        "In-sync replicas, the leader among them, without which acks=all is refused. No more than the partition has \
         copies are asked for, so the default of 2 holds a topic with one copy up in nothing.",
    ),
    TopicConfigKey::new("preallocate", Boolean, "false", Rule::Any)
        .broker(&["log.preallocate"])
        .text("Whether segments get their space ahead. Stored and reported, no effect: they grow as they are written."),
    TopicConfigKey::new("remote.log.copy.disable", Boolean, "false", Rule::Any).text(
        "Whether a tiered topic stops uploading. Stored and reported, no effect: remote.storage.enable=false stops it, and what \
         is in the tier is read as before.",
    ),
    TopicConfigKey::new("remote.log.delete.on.disable", Boolean, "false", Rule::Any).text(
        "Whether a topic's tiered data goes when tiering is switched off. Stored and reported, no effect: it stays until \
         retention takes it.",
    ),
    TopicConfigKey::new("remote.storage.enable", Boolean, "false", Rule::Any).text(
        "Whether closed segments are uploaded to object storage, where the brokers have one. Compacted topics are mirrored: all \
         of them stays on local disk too, and is cleaned as far as it is in the tier.",
    ),
    TopicConfigKey::new("retention.bytes", Long, "-1", Rule::Any)
        .broker(&["log.retention.bytes"])
        .text("Bytes that a partition keeps at least before its oldest segments go; -1 means no limit."),
    TopicConfigKey::new("retention.ms", Long, "604800000", Rule::AtLeast(-1))
        .broker(&["log.retention.ms", "log.retention.minutes", "log.retention.hours"])
        .text("How long records are kept before their segments may go; -1 means for ever."),
    TopicConfigKey::new("segment.bytes", Int, "1073741824", Rule::AtLeast(SEGMENT_BYTES_MIN))
        .broker(&["log.segment.bytes"])
        .text("The size at which a segment is sealed and the next one begun. Retention removes whole segments."),
    TopicConfigKey::new("segment.index.bytes", Int, "10485760", Rule::AtLeast(4))
        .broker(&["log.index.size.max.bytes"])
        .text("The size of a segment's index. Stored and reported, no effect: an index grows with its segment."),
    TopicConfigKey::new("segment.jitter.ms", Long, "0", Rule::AtLeast(0))
        .broker(&["log.roll.jitter.ms", "log.roll.jitter.hours"])
        .text(
            "Spreads the sealing of segments by age over this much time, so that not all partitions do it at once.",
        ),
    TopicConfigKey::new("segment.ms", Long, "604800000", Rule::AtLeast(1))
        .broker(&["log.roll.ms", "log.roll.hours"])
        .text("The age at which a segment is sealed even if it is not full, so that retention can remove it."),
    TopicConfigKey::new("unclean.leader.election.enable", Boolean, "false", Rule::Any)
        .broker(&["unclean.leader.election.enable"])
        .text(
            "Whether a replica that may lack acknowledged records leads if nobody else is left. Stored and reported, \
             no effect until topics can have several copies.",
        ),
];
