//! Our tables of configs against those of Apache Kafka 4.3.0.

use std::collections::BTreeMap;

use aquifer_metadata::{BROKER_CONFIGS, ConfigKey, GROUP_CONFIGS, TOPIC_CONFIGS};

/// What Kafka's own config classes print: kind and name, then type, default and synonyms.
const KAFKA: &str = include_str!("kafka-4.3.0-configs.tsv");

/// Kafka's default of 1 lets a single copy acknowledge while others are meant to exist; asking for no more than a
/// partition has makes 2 safe for topics with one copy.
const OTHER_DEFAULT: &str = "min.insync.replicas";

struct KafkaConfig {
    kind: &'static str,
    default: Option<&'static str>,
    synonyms: Vec<&'static str>,
}

fn kafka(of: &str) -> BTreeMap<&'static str, KafkaConfig> {
    let rows = KAFKA.lines().filter(|line| !line.starts_with('#'));
    let mut configs = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split('\t').collect();
        let [table, name, kind, default, synonyms] = cells[..] else { panic!("five cells: {row}") };
        if table == of {
            let default = match default {
                "<null>" | "<none>" => None,
                "<empty>" => Some(""),
                value => Some(value),
            };
            let synonyms = if synonyms == "-" { Vec::new() } else { synonyms.split(',').collect() };
            configs.insert(name, KafkaConfig { kind, default, synonyms });
        }
    }
    assert!(!configs.is_empty());
    configs
}

fn compare(key: &ConfigKey, theirs: &KafkaConfig) {
    assert_eq!(key.kind.word(), theirs.kind, "type of {}", key.name);
    if key.name != OTHER_DEFAULT {
        assert_eq!(key.default, theirs.default, "default of {}", key.name);
    }
    assert!(!key.documentation.is_empty(), "{} has a text", key.name);
}

#[test]
fn every_topic_config_of_kafka_is_here_with_its_type_default_and_synonyms() {
    let mut theirs = kafka("topic");
    for topic in TOPIC_CONFIGS.iter().filter(|topic| !topic.key.name.starts_with("aquifer.")) {
        let kafka = theirs.remove(topic.key.name).expect("Kafka has it");
        compare(&topic.key, &kafka);
        assert_eq!(topic.broker_names, kafka.synonyms, "synonyms of {}", topic.key.name);
    }
    assert_eq!(theirs.keys().collect::<Vec<_>>(), Vec::<&&str>::new(), "missing here");
}

#[test]
fn every_group_config_of_kafka_is_here_with_its_type_and_default() {
    let mut theirs = kafka("group");
    for key in GROUP_CONFIGS {
        compare(key, &theirs.remove(key.name).expect("Kafka has it"));
    }
    assert_eq!(theirs.keys().collect::<Vec<_>>(), Vec::<&&str>::new(), "missing here");
}

#[test]
fn every_broker_config_here_is_kafkas_with_its_type_and_default() {
    let theirs = kafka("broker");
    for broker in BROKER_CONFIGS {
        compare(&broker.key, theirs.get(broker.key.name).expect("Kafka has it"));
    }
}
