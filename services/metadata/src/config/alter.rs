//! Changing the configs of a resource: what is set afterwards, or why nothing is.

use crate::answer::AlterConfigRefusal;
use crate::command::{ConfigChange, ConfigOperation};
use crate::config::key::split_list;
use crate::config::topic_config::Values;
use crate::config::{
    BrokerConfig, ConfigKey, ConfigKind, ConfigMap, ConfigName, InvalidConfig, Update, broker_config,
    group_config, topic_config,
};

/// Longest group id that is taken.
pub(crate) const GROUP_ID_BYTES_MAX: usize = 1024;

/// Which table a resource's names are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Topic,
    Cluster,
    /// One broker: nothing can be changed for it alone.
    Broker,
    Group,
}

impl Table {
    /// The key of a name that may be changed here.
    fn changeable(self, name: &str) -> Result<ConfigKey, AlterConfigRefusal> {
        let unknown =
            || AlterConfigRefusal::Invalid(InvalidConfig::Unknown(name.chars().take(100).collect()));
        match self {
            Table::Topic => topic_config(name).map(|topic| topic.key).ok_or_else(unknown),
            Table::Group => group_config(name).copied().ok_or_else(unknown),
            Table::Cluster | Table::Broker => {
                let broker = broker_config(name).ok_or_else(unknown)?;
                match broker.update {
                    Update::ReadOnly => Err(AlterConfigRefusal::NotDynamic(broker.key.name)),
                    Update::Cluster if self == Table::Broker => {
                        Err(AlterConfigRefusal::ClusterWide(broker.key.name))
                    }
                    Update::Cluster => Ok(broker.effective_key()),
                }
            }
        }
    }
}

impl BrokerConfig {
    /// The key with the rule of the topic config whose default it is.
    pub(crate) fn effective_key(&self) -> ConfigKey {
        let rule = self.topic.and_then(topic_config).map_or(self.key.rule, |topic| topic.key.rule);
        ConfigKey { rule, ..self.key }
    }
}

/// What is set after `changes`. `in_force` gives the value that a list is appended to where none was set.
pub(crate) fn altered<'a>(
    table: Table,
    before: &ConfigMap,
    replace: bool,
    changes: &[ConfigChange],
    in_force: impl Fn(&ConfigKey) -> Option<&'a str>,
) -> Result<ConfigMap, AlterConfigRefusal> {
    let mut after = if replace { ConfigMap::default() } else { before.clone() };
    let mut changed: Vec<ConfigName> = Vec::new();
    for change in changes {
        let key = table.changeable(&change.name)?;
        if changed.contains(&key.name) {
            return Err(AlterConfigRefusal::Twice(change.name.clone()));
        }
        changed.push(key.name);
        if change.operation == ConfigOperation::Delete {
            after.remove(key.name);
            continue;
        }
        let Some(value) = &change.value else {
            return Err(AlterConfigRefusal::NullValue(change.name.clone()));
        };
        let value = match change.operation {
            ConfigOperation::Set | ConfigOperation::Delete => key.canonical(value)?,
            ConfigOperation::Append | ConfigOperation::Subtract => {
                if key.kind != ConfigKind::List {
                    return Err(AlterConfigRefusal::NotAList(key.name));
                }
                let have = after.get(key.name).or_else(|| in_force(&key)).unwrap_or_default();
                key.canonical(&edited_list(have, value, change.operation))?
            }
        };
        after.set(key.name, value);
    }
    Ok(after)
}

/// A list with the entries of another added at its end, or taken out.
fn edited_list(have: &str, entries: &str, operation: ConfigOperation) -> String {
    let mut list: Vec<&str> = split_list(have).collect();
    for entry in split_list(entries) {
        match operation {
            ConfigOperation::Subtract => list.retain(|have| *have != entry),
            _ if list.contains(&entry) => {}
            _ => list.push(entry),
        }
    }
    list.join(",")
}

/// Two settings of a topic that contradict each other, if there are.
pub(crate) fn conflict(own: &ConfigMap, cluster: &ConfigMap) -> Result<(), InvalidConfig> {
    let values = Values { own, cluster };
    let refuse = |name: ConfigName, other: ConfigName| {
        let (value, other_value) = (values.text(name).to_owned(), values.text(other).to_owned());
        Err(InvalidConfig::Conflict { name, value, other, other_value })
    };
    if values.long("min.compaction.lag.ms") > values.long("max.compaction.lag.ms") {
        return refuse("min.compaction.lag.ms", "max.compaction.lag.ms");
    }
    if !values.boolean("remote.storage.enable") {
        return Ok(());
    }
    for (local, whole) in
        [("local.retention.ms", "retention.ms"), ("local.retention.bytes", "retention.bytes")]
    {
        let (local_limit, limit) = (values.long(local), values.long(whole));
        if local_limit == -2 {
            continue;
        }
        if limit >= 0 && (local_limit == -1 || local_limit > limit) {
            return refuse(local, whole);
        }
        if split_list(values.text("cleanup.policy")).any(|word| word == "compact") {
            return Err(InvalidConfig::LocalCopy { name: local, value: values.text(local).to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Settings = Vec<(ConfigName, String)>;

    fn change(name: &str, operation: ConfigOperation, value: Option<&str>) -> ConfigChange {
        ConfigChange { name: name.to_owned(), operation, value: value.map(str::to_owned) }
    }

    fn alter(
        before: &[(&'static str, &str)],
        replace: bool,
        changes: &[ConfigChange],
    ) -> Result<Settings, AlterConfigRefusal> {
        let mut map = ConfigMap::default();
        for (name, value) in before {
            map.set(name, (*value).to_owned());
        }
        let after = altered(Table::Topic, &map, replace, changes, |key| key.default)?;
        Ok(after.iter().map(|(name, value)| (name, value.to_owned())).collect())
    }

    #[test]
    fn operations_set_delete_append_and_subtract() {
        use ConfigOperation::{Append, Delete, Set, Subtract};
        let before = [("cleanup.policy", "delete"), ("retention.ms", "5")];

        let after = alter(
            &before,
            false,
            &[
                change("cleanup.policy", Append, Some("compact,delete")),
                change("retention.ms", Delete, None),
                change("segment.ms", Set, Some(" 7")),
            ],
        );
        let emptied = alter(&before, false, &[change("cleanup.policy", Subtract, Some("delete"))]);

        assert_eq!(
            after,
            Ok(vec![("cleanup.policy", "delete,compact".to_owned()), ("segment.ms", "7".to_owned())])
        );
        let emptied_to = vec![("cleanup.policy", String::new()), ("retention.ms", "5".to_owned())];
        assert_eq!(emptied, Ok(emptied_to));
    }

    #[test]
    fn appending_to_what_was_not_set_starts_from_what_is_in_force() {
        let after = alter(&[], false, &[change("cleanup.policy", ConfigOperation::Append, Some("compact"))]);

        assert_eq!(after, Ok(vec![("cleanup.policy", "delete,compact".to_owned())]));
    }

    #[test]
    fn replacing_forgets_what_was_set() {
        let after =
            alter(&[("retention.ms", "5")], true, &[change("segment.ms", ConfigOperation::Set, Some("7"))]);

        assert_eq!(after, Ok(vec![("segment.ms", "7".to_owned())]));
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        use ConfigOperation::{Append, Set};
        for (changes, refusal) in [
            (vec![change("retention.ms", Append, Some("5"))], AlterConfigRefusal::NotAList("retention.ms")),
            (
                vec![change("retention.ms", Set, None)],
                AlterConfigRefusal::NullValue("retention.ms".to_owned()),
            ),
            (
                vec![change("segment.ms", Set, Some("5")), change("segment.ms", Set, Some("6"))],
                AlterConfigRefusal::Twice("segment.ms".to_owned()),
            ),
            (
                vec![change("no.such", Set, Some("5"))],
                AlterConfigRefusal::Invalid(InvalidConfig::Unknown("no.such".to_owned())),
            ),
        ] {
            assert_eq!(alter(&[], false, &changes), Err(refusal));
        }
    }

    #[test]
    fn broker_configs_change_for_the_whole_cluster_only() {
        let set = |name| [change(name, ConfigOperation::Set, Some("5"))];
        let none = ConfigMap::default();
        let alter = |table, name| altered(table, &none, false, &set(name), |_| None).map(|map| map.len());

        assert_eq!(alter(Table::Cluster, "log.retention.ms"), Ok(1));
        assert_eq!(
            alter(Table::Broker, "log.retention.ms"),
            Err(AlterConfigRefusal::ClusterWide("log.retention.ms"))
        );
        assert_eq!(
            alter(Table::Cluster, "num.partitions"),
            Err(AlterConfigRefusal::NotDynamic("num.partitions"))
        );
        assert!(matches!(alter(Table::Cluster, "log.segment.bytes"), Err(AlterConfigRefusal::Invalid(_))));
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        for (settings, name) in [
            (vec![("min.compaction.lag.ms", "5"), ("max.compaction.lag.ms", "4")], "min.compaction.lag.ms"),
            (
                vec![("remote.storage.enable", "true"), ("local.retention.ms", "5"), ("retention.ms", "4")],
                "local.retention.ms",
            ),
            (
                vec![("remote.storage.enable", "true"), ("local.retention.ms", "-1"), ("retention.ms", "4")],
                "local.retention.ms",
            ),
            (
                vec![
                    ("remote.storage.enable", "true"),
                    ("local.retention.bytes", "5"),
                    ("cleanup.policy", "compact"),
                ],
                "local.retention.bytes",
            ),
        ] {
            let mut own = ConfigMap::default();
            for (name, value) in settings {
                own.set(name, value.to_owned());
            }
            let refused = conflict(&own, &ConfigMap::default());
            let Err(
                InvalidConfig::Conflict { name: found, .. } | InvalidConfig::LocalCopy { name: found, .. },
            ) = refused
            else {
                panic!("{refused:?}")
            };
            assert_eq!(found, name);
        }
    }
}
