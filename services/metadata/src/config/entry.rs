//! `ConfigEntry`: one config of a resource with its value, where that comes from, and what else would give one.

use std::collections::BTreeMap;

use crate::config::{
    BROKER_CONFIGS, ConfigKey, ConfigKind, ConfigMap, ConfigName, GROUP_CONFIGS, TOPIC_CONFIGS,
    TopicConfigKey, Update, broker_config,
};

/// Where a value comes from, with Kafka's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    Topic = 1,
    /// Set for all brokers while they run.
    Cluster = 3,
    /// The server's own configuration.
    Server = 4,
    Default = 5,
    Group = 8,
}

/// One config of a resource, with all that DescribeConfigs tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    pub name: ConfigName,
    pub value: Option<String>,
    pub source: ConfigSource,
    pub read_only: bool,
    pub kind: ConfigKind,
    pub documentation: &'static str,
    /// Every place that gives a value, the one in force first.
    pub synonyms: Vec<ConfigSynonym>,
}

/// A value for a config, under the name that it has in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    pub name: ConfigName,
    pub value: Option<String>,
    pub source: ConfigSource,
}

impl ConfigSynonym {
    fn new(name: ConfigName, value: &str, source: ConfigSource) -> ConfigSynonym {
        ConfigSynonym { name, value: Some(value.to_owned()), source }
    }
}

/// All configs of a topic.
pub(crate) fn topic_entries(own: &ConfigMap, cluster: &ConfigMap) -> Vec<ConfigEntry> {
    let reported = TOPIC_CONFIGS.iter().filter(|topic| !topic.hidden || own.get(topic.key.name).is_some());
    reported.map(|topic| topic_entry(topic, own, cluster)).collect()
}

fn topic_entry(topic: &TopicConfigKey, own: &ConfigMap, cluster: &ConfigMap) -> ConfigEntry {
    let key = &topic.key;
    let mut synonyms = Vec::new();
    // The value in force is in the topic's own unit; synonyms such as log.retention.hours have theirs.
    let mut in_force = key.default.map(|default| (default, ConfigSource::Default));
    if let Some((name, value)) = topic.broker_names.first().and_then(|name| Some((*name, cluster.get(name)?)))
    {
        in_force = Some((value, ConfigSource::Cluster));
        synonyms.push(ConfigSynonym::new(name, value, ConfigSource::Cluster));
    }
    if let Some(value) = own.get(key.name) {
        in_force = Some((value, ConfigSource::Topic));
        synonyms.insert(0, ConfigSynonym::new(key.name, value, ConfigSource::Topic));
    }
    for name in topic.broker_names {
        if let Some(default) = broker_config(name).and_then(|broker| broker.key.default) {
            synonyms.push(ConfigSynonym::new(name, default, ConfigSource::Default));
        }
    }
    if topic.broker_names.is_empty()
        && let Some(default) = key.default
    {
        synonyms.push(ConfigSynonym::new(key.name, default, ConfigSource::Default));
    }
    ConfigEntry {
        name: key.name,
        value: in_force.map(|(value, _)| value.to_owned()),
        source: in_force.map_or(ConfigSource::Default, |(_, source)| source),
        read_only: false,
        kind: key.kind,
        documentation: key.documentation,
        synonyms,
    }
}

/// All configs of a broker whose own configuration gives `server`, or with none, what was set for all brokers.
pub(crate) fn broker_entries(
    cluster: &ConfigMap,
    server: Option<&BTreeMap<String, String>>,
) -> Vec<ConfigEntry> {
    let mut entries = Vec::new();
    for broker in BROKER_CONFIGS {
        let name = broker.key.name;
        let mut synonyms = Vec::new();
        if let Some(value) = cluster.get(name) {
            synonyms.push(ConfigSynonym::new(name, value, ConfigSource::Cluster));
        } else if server.is_none() {
            continue;
        }
        if let Some(server) = server {
            if let Some(value) = server.get(name) {
                synonyms.push(ConfigSynonym::new(name, value, ConfigSource::Server));
            }
            if let Some(default) = broker.key.default {
                synonyms.push(ConfigSynonym::new(name, default, ConfigSource::Default));
            }
        }
        let first = synonyms.first();
        entries.push(ConfigEntry {
            name,
            value: first.and_then(|synonym| synonym.value.clone()),
            source: first.map_or(ConfigSource::Default, |synonym| synonym.source),
            read_only: broker.update == Update::ReadOnly,
            kind: broker.key.kind,
            documentation: broker.key.documentation,
            synonyms,
        });
    }
    entries
}

/// All configs of a group.
pub(crate) fn group_entries(own: &ConfigMap) -> Vec<ConfigEntry> {
    let entry = |key: &ConfigKey| {
        let mut synonyms = Vec::new();
        if let Some(value) = own.get(key.name) {
            synonyms.push(ConfigSynonym::new(key.name, value, ConfigSource::Group));
        }
        if let Some(default) = key.default {
            synonyms.push(ConfigSynonym::new(key.name, default, ConfigSource::Default));
        }
        let first = synonyms.first();
        ConfigEntry {
            name: key.name,
            value: first.and_then(|synonym| synonym.value.clone()),
            source: first.map_or(ConfigSource::Default, |synonym| synonym.source),
            read_only: false,
            kind: key.kind,
            documentation: key.documentation,
            synonyms,
        }
    };
    GROUP_CONFIGS.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(settings: &[(&'static str, &str)]) -> ConfigMap {
        let mut map = ConfigMap::default();
        for (name, value) in settings {
            map.set(name, (*value).to_owned());
        }
        map
    }

    fn entry(entries: Vec<ConfigEntry>, name: &str) -> ConfigEntry {
        entries.into_iter().find(|entry| entry.name == name).expect("is reported")
    }

    #[test]
    fn a_topic_entry_lists_every_place_that_gives_a_value() {
        let entries = topic_entries(&map(&[("retention.ms", "5")]), &map(&[("log.retention.ms", "6")]));

        let retention = entry(entries, "retention.ms");

        assert_eq!((retention.value.as_deref(), retention.source), (Some("5"), ConfigSource::Topic));
        assert_eq!(
            retention.synonyms,
            [
                ConfigSynonym::new("retention.ms", "5", ConfigSource::Topic),
                ConfigSynonym::new("log.retention.ms", "6", ConfigSource::Cluster),
                ConfigSynonym::new("log.retention.hours", "168", ConfigSource::Default),
            ]
        );
    }

    #[test]
    fn the_value_of_an_unset_config_is_in_its_own_unit() {
        let retention = entry(topic_entries(&map(&[]), &map(&[])), "retention.ms");

        assert_eq!(
            (retention.value.as_deref(), retention.source),
            (Some("604800000"), ConfigSource::Default)
        );
    }

    #[test]
    fn the_server_gives_a_broker_its_read_only_values() {
        let server = BTreeMap::from([("num.partitions".to_owned(), "4".to_owned())]);

        let entries = broker_entries(&map(&[]), Some(&server));

        let partitions = entry(entries, "num.partitions");
        assert_eq!((partitions.value.as_deref(), partitions.source), (Some("4"), ConfigSource::Server));
        assert!(partitions.read_only);
    }

    #[test]
    fn for_all_brokers_only_what_was_set_is_reported() {
        let entries = broker_entries(&map(&[("message.max.bytes", "9")]), None);

        assert_eq!(entries.iter().map(|entry| entry.name).collect::<Vec<_>>(), ["message.max.bytes"]);
    }

    #[test]
    fn tables_are_sorted_so_that_names_are_found() {
        assert!(TOPIC_CONFIGS.is_sorted_by(|a, b| a.key.name < b.key.name));
        assert!(BROKER_CONFIGS.is_sorted_by(|a, b| a.key.name < b.key.name));
        assert!(GROUP_CONFIGS.is_sorted_by(|a, b| a.name < b.name));
    }
}
