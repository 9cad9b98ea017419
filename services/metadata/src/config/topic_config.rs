//! `TopicConfig`: the settings of a topic that are in force, as types.

use aquifer_types::TopicName;

use crate::config::key::split_list;
use crate::config::{ConfigMap, topic_config};

/// What is in force for one topic: its own settings over the cluster's over the defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    pub durability: Durability,
    pub cleanup: CleanupPolicy,
    pub compression: Compression,
    pub timestamp_type: TimestampType,
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    /// The largest batch, its header included.
    pub batch_bytes_max: i32,
    pub min_in_sync_replicas: i32,
    pub unclean_leader_election: bool,
    /// None means no limit.
    pub retention_ms: Option<i64>,
    /// None means no limit.
    pub retention_bytes: Option<i64>,
    pub segment_bytes: i32,
    pub segment_ms: i64,
    pub segment_jitter_ms: i64,
    pub flush_messages: i64,
    pub flush_ms: i64,
    pub tombstone_retention_ms: i64,
    pub min_cleanable_dirty_ratio: f64,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    pub tiered: bool,
    /// None means no limit of its own.
    pub local_retention_ms: Option<i64>,
    /// None means no limit of its own.
    pub local_retention_bytes: Option<i64>,
}

/// What an acknowledgement promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Flushed,
    PageCache,
}

/// What removes old records. Neither keeps everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    pub delete: bool,
    pub compact: bool,
}

/// How batches are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As they came.
    Producer,
    Uncompressed,
    /// None is the codec's own level.
    Gzip(Option<i32>),
    Snappy,
    Lz4(i32),
    Zstd(i32),
}

/// Whose clock a record's timestamp is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

impl TopicConfig {
    /// What the table says.
    pub(crate) fn of_defaults() -> TopicConfig {
        TopicConfig::of_cluster(&ConfigMap::default())
    }

    /// What is in force where a topic sets nothing.
    pub(crate) fn of_cluster(cluster: &ConfigMap) -> TopicConfig {
        TopicConfig::of(Values { own: &ConfigMap::default(), cluster }, false)
    }

    /// What is in force for a topic of this name with these settings of its own and of the cluster.
    pub(crate) fn resolve(name: &TopicName, own: &ConfigMap, cluster: &ConfigMap) -> TopicConfig {
        TopicConfig::of(Values { own, cluster }, name.is_reserved())
    }

    fn of(values: Values<'_>, internal: bool) -> TopicConfig {
        // What our own topics hold was acknowledged to somebody: page cache is never enough for it.
        let page_cache = !internal && values.text("aquifer.durability") == "page-cache";
        let policy = values.text("cleanup.policy");
        TopicConfig {
            durability: if page_cache { Durability::PageCache } else { Durability::Flushed },
            cleanup: CleanupPolicy {
                delete: split_list(policy).any(|word| word == "delete"),
                compact: split_list(policy).any(|word| word == "compact"),
            },
            compression: compression(values),
            timestamp_type: match values.text("message.timestamp.type") {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_before_max_ms: values.long("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: values.long("message.timestamp.after.max.ms"),
            batch_bytes_max: values.int("max.message.bytes"),
            min_in_sync_replicas: values.int("min.insync.replicas"),
            unclean_leader_election: values.boolean("unclean.leader.election.enable"),
            retention_ms: limit(values.long("retention.ms")),
            retention_bytes: limit(values.long("retention.bytes")),
            segment_bytes: match values.own.get("internal.segment.bytes") {
                Some(_) => values.int("internal.segment.bytes"),
                None => values.int("segment.bytes"),
            },
            segment_ms: values.long("segment.ms"),
            segment_jitter_ms: values.long("segment.jitter.ms"),
            flush_messages: values.long("flush.messages"),
            flush_ms: values.long("flush.ms"),
            tombstone_retention_ms: values.long("delete.retention.ms"),
            min_cleanable_dirty_ratio: values.parsed("min.cleanable.dirty.ratio"),
            min_compaction_lag_ms: values.long("min.compaction.lag.ms"),
            max_compaction_lag_ms: values.long("max.compaction.lag.ms"),
            tiered: values.boolean("remote.storage.enable"),
            local_retention_ms: values.local_limit("local.retention.ms", "retention.ms"),
            local_retention_bytes: values.local_limit("local.retention.bytes", "retention.bytes"),
        }
    }
}

/// Where a value comes from: the topic, else the cluster, else the table.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) own: &'a ConfigMap,
    pub(crate) cluster: &'a ConfigMap,
}

impl<'a> Values<'a> {
    /// The value in force, in its canonical form; empty for the one name without a default.
    pub(crate) fn text(self, name: &str) -> &'a str {
        let Some(topic) = topic_config(name) else { return "" };
        let cluster_name = topic.broker_names.first();
        self.own
            .get(name)
            .or_else(|| cluster_name.and_then(|name| self.cluster.get(name)))
            .or(topic.key.default)
            .unwrap_or_default()
    }

    pub(crate) fn long(self, name: &str) -> i64 {
        self.parsed(name)
    }

    pub(crate) fn boolean(self, name: &str) -> bool {
        self.text(name) == "true"
    }

    fn int(self, name: &str) -> i32 {
        self.parsed(name)
    }

    /// A number. Values were checked when they were set and when a snapshot was loaded, defaults by a test.
    fn parsed<T: std::str::FromStr>(self, name: &str) -> T {
        match self.text(name).parse() {
            Ok(number) => number,
            Err(_) => panic!("config {name} holds a value that breaks its rule"),
        }
    }

    /// A local limit; -2 takes the whole topic's.
    fn local_limit(self, name: &str, whole: &str) -> Option<i64> {
        match self.long(name) {
            -2 => limit(self.long(whole)),
            own => limit(own),
        }
    }
}

fn limit(value: i64) -> Option<i64> {
    (value >= 0).then_some(value)
}

fn compression(values: Values<'_>) -> Compression {
    match values.text("compression.type") {
        "gzip" => {
            let level = values.int("compression.gzip.level");
            Compression::Gzip((level != -1).then_some(level))
        }
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4(values.int("compression.lz4.level")),
        "zstd" => Compression::Zstd(values.int("compression.zstd.level")),
        "uncompressed" => Compression::Uncompressed,
        _ => Compression::Producer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{TOPIC_CONFIGS, broker_config};

    fn map(settings: &[(&'static str, &str)]) -> ConfigMap {
        let mut map = ConfigMap::default();
        for (name, value) in settings {
            map.set(name, (*value).to_owned());
        }
        map
    }

    fn resolve(own: &[(&'static str, &str)], cluster: &[(&'static str, &str)]) -> TopicConfig {
        TopicConfig::resolve(&TopicName::new("t").expect("a name"), &map(own), &map(cluster))
    }

    #[test]
    fn the_topic_wins_over_the_cluster_and_the_cluster_over_the_default() {
        let cluster = [("log.retention.ms", "5"), ("log.segment.bytes", "2000000")];

        let config = resolve(&[("retention.ms", "-1")], &cluster);

        assert_eq!(config.retention_ms, None);
        assert_eq!(config.segment_bytes, 2_000_000);
        assert_eq!(config.segment_ms, 604_800_000);
    }

    #[test]
    fn local_limits_follow_the_whole_topics_unless_set() {
        let config = resolve(&[("retention.ms", "7"), ("local.retention.bytes", "9")], &[]);

        assert_eq!((config.local_retention_ms, config.local_retention_bytes), (Some(7), Some(9)));
    }

    #[test]
    fn our_own_topics_are_always_flushed() {
        let own = map(&[("aquifer.durability", "page-cache")]);
        let name = TopicName::new("__consumer_offsets").expect("a name");

        let config = TopicConfig::resolve(&name, &own, &ConfigMap::default());

        assert_eq!(config.durability, Durability::Flushed);
    }

    #[test]
    fn every_default_is_a_canonical_value() {
        for topic in TOPIC_CONFIGS {
            if let Some(default) = topic.key.default {
                assert_eq!(topic.key.canonical(default), Ok(default.to_owned()), "{}", topic.key.name);
            }
            for name in topic.broker_names {
                assert!(broker_config(name).is_some(), "{name} is a broker config");
            }
        }
    }
}
