//! Whether a change would be taken: what applying checks first, and what `validate_only` asks for.

use std::collections::BTreeSet;

use aquifer_types::TopicName;

use crate::answer::{
    AlterConfigRefusal, CreatePartitionsRefusal, CreateTopicRefusal, FeatureRefusal, PartitionCountRefusal,
    PlacementRefusal, UnknownTopic,
};
use crate::command::{
    AlterConfig, ConfigChange, ConfigOperation, ConfigSetting, FeatureUpdate, NewPartitions, NewTopic,
    Placement,
};
use crate::config::{
    ConfigKey, ConfigMap, ConfigResource, GROUP_ID_BYTES_MAX, InvalidConfig, Table, altered, conflict,
    topic_config,
};
use crate::features::{Feature, feature};
use crate::image::Image;
use crate::partition::{DirectorySlot, Members, Partition, REPLICAS_MAX, Replica};
use crate::topic::Topic;

/// Brokers of one cluster.
pub const BROKERS_MAX: usize = 10_000;
/// Partitions of one topic.
pub const PARTITIONS_PER_TOPIC_MAX: usize = 100_000;
/// Partitions of all topics.
pub const PARTITIONS_MAX: usize = 1_000_000;
/// Groups with settings of their own.
pub const GROUP_CONFIGS_MAX: usize = 100_000;

impl Image {
    /// Whether the topic could be made now; returns the settings that it would have of its own.
    pub fn check_new_topic(&self, new: &NewTopic) -> Result<ConfigMap, CreateTopicRefusal> {
        self.check_new_name(&new.name)?;
        if self.topics.get(&new.id).is_some() {
            return Err(CreateTopicRefusal::IdUsed(new.id));
        }
        self.check_count(0, new.partitions.len())?;
        self.place(None, &new.partitions)?;
        let own = self.new_settings(new)?;
        Ok(own)
    }

    /// Whether the partitions could be added now.
    pub fn check_new_partitions(&self, new: &NewPartitions) -> Result<(), CreatePartitionsRefusal> {
        let topic = self.topic(new.topic.as_str()).ok_or(UnknownTopic)?;
        let current = topic.partition_count();
        if current != new.expected {
            return Err(CreatePartitionsRefusal::Changed { current, expected: new.expected });
        }
        self.check_count(topic.partitions.len(), new.partitions.len())?;
        self.place(Some(topic), &new.partitions)?;
        Ok(())
    }

    /// Whether the configs could be changed now; returns what would be set afterwards.
    pub fn check_alter_config(&self, alter: &AlterConfig) -> Result<ConfigMap, AlterConfigRefusal> {
        match &alter.resource {
            ConfigResource::Topic(name) => {
                let topic = self.topic(name.as_str()).ok_or(UnknownTopic)?;
                self.altered_topic(name, &topic.overrides, alter.replace, &alter.changes)
            }
            ConfigResource::Broker(node) => {
                let table = if node.is_none() { Table::Cluster } else { Table::Broker };
                let after =
                    altered(table, &self.cluster_config, alter.replace, &alter.changes, |key| key.default)?;
                conflict(&ConfigMap::default(), &after)?;
                Ok(after)
            }
            ConfigResource::Group(group) => {
                if group.is_empty() || group.len() > GROUP_ID_BYTES_MAX {
                    return Err(AlterConfigRefusal::GroupId(GROUP_ID_BYTES_MAX));
                }
                let before = self.groups.get(group).cloned().unwrap_or_default();
                if before.is_empty() && self.groups.len() >= GROUP_CONFIGS_MAX {
                    return Err(AlterConfigRefusal::TooManyGroups(GROUP_CONFIGS_MAX));
                }
                altered(Table::Group, &before, alter.replace, &alter.changes, |key| key.default)
            }
        }
    }

    /// Refuses that a topic begins to compact of which `has_dropped` says that our disk does not have all records any more.
    pub fn check_begins_to_compact(
        &self,
        alter: &AlterConfig,
        has_dropped: impl FnOnce(&Topic) -> bool,
    ) -> Result<(), AlterConfigRefusal> {
        let ConfigResource::Topic(name) = &alter.resource else { return Ok(()) };
        let Some(topic) = self.topic(name.as_str()) else { return Ok(()) };
        let after = self.resolve(name, &self.check_alter_config(alter)?);
        if topic.config().cleanup.compact || !after.cleanup.compact || !has_dropped(topic) {
            return Ok(());
        }
        let policy = if after.cleanup.delete { "compact,delete" } else { "compact" };
        Err(InvalidConfig::LocalCopyGone(policy.to_owned()).into())
    }

    /// Whether the feature could be brought to this level now.
    pub fn check_feature(&self, update: &FeatureUpdate) -> Result<&'static Feature, FeatureRefusal> {
        let Some(known) = feature(&update.name) else {
            return Err(FeatureRefusal::Unknown(update.name.chars().take(100).collect()));
        };
        let FeatureUpdate { level, .. } = *update;
        if !(known.min..=known.max).contains(&level) {
            let (min, max) = (known.min, known.max);
            return Err(FeatureRefusal::Level { name: known.name.to_owned(), level, min, max });
        }
        let current = self.features.get(known.name).copied().unwrap_or(0);
        if level < current && !update.allow_downgrade {
            return Err(FeatureRefusal::Downgrade(known.name.to_owned()));
        }
        Ok(known)
    }

    /// Whether a topic of this name could be made now, whatever else it is to have.
    pub fn check_new_name(&self, name: &TopicName) -> Result<(), CreateTopicRefusal> {
        if self.names.get(name).is_some() {
            return Err(CreateTopicRefusal::Exists(name.clone()));
        }
        if let Some(existing) = self.collisions.get(&name.collision_key()) {
            return Err(CreateTopicRefusal::Collides { name: name.clone(), existing: existing.clone() });
        }
        Ok(())
    }

    fn check_count(&self, have: usize, more: usize) -> Result<(), PartitionCountRefusal> {
        if more == 0 {
            return Err(PartitionCountRefusal::None);
        }
        if have + more > PARTITIONS_PER_TOPIC_MAX {
            return Err(PartitionCountRefusal::OfTopic(PARTITIONS_PER_TOPIC_MAX));
        }
        if self.partition_count + more > PARTITIONS_MAX {
            return Err(PartitionCountRefusal::OfCluster(PARTITIONS_MAX));
        }
        Ok(())
    }

    fn new_settings(&self, new: &NewTopic) -> Result<ConfigMap, AlterConfigRefusal> {
        let set = |setting: &ConfigSetting| ConfigChange {
            name: setting.name.clone(),
            operation: ConfigOperation::Set,
            value: setting.value.clone(),
        };
        let changes: Vec<ConfigChange> = new.configs.iter().map(set).collect();
        self.altered_topic(&new.name, &ConfigMap::default(), false, &changes)
    }

    fn altered_topic(
        &self,
        name: &TopicName,
        before: &ConfigMap,
        replace: bool,
        changes: &[ConfigChange],
    ) -> Result<ConfigMap, AlterConfigRefusal> {
        let cluster_value = |key: &ConfigKey| {
            let broker_name = topic_config(key.name)?.broker_names.first()?;
            self.cluster_config.get(broker_name)
        };
        let after =
            altered(Table::Topic, before, replace, changes, |key| cluster_value(key).or(key.default))?;
        conflict(&after, &self.cluster_config)?;
        if name.is_reserved() && after.get("aquifer.durability") == Some("page-cache") {
            return Err(InvalidConfig::Internal("aquifer.durability").into());
        }
        Ok(after)
    }

    /// The partitions that these placements make: live replicas are in sync, the first of them leads.
    pub(crate) fn place(
        &self,
        topic: Option<&Topic>,
        placements: &[Placement],
    ) -> Result<Vec<Partition>, PlacementRefusal> {
        let first = topic.map_or(0, |topic| topic.partitions.len());
        let copies = match topic {
            Some(topic) => topic.replication_factor(),
            None => placements.first().map_or(0, |placement| placement.0.len()),
        };
        let mut partitions = Vec::with_capacity(placements.len());
        for (at, placement) in placements.iter().enumerate() {
            let number = first + at;
            if !placement.0.is_empty() && placement.0.len() != copies {
                return Err(PlacementRefusal::Uneven(number));
            }
            partitions.push(self.place_one(number, placement)?);
        }
        Ok(partitions)
    }

    fn place_one(&self, partition: usize, placement: &Placement) -> Result<Partition, PlacementRefusal> {
        let count = placement.0.len();
        if count == 0 {
            return Err(PlacementRefusal::Empty(partition));
        }
        if count > REPLICAS_MAX {
            return Err(PlacementRefusal::TooMany { partition, count, max: REPLICAS_MAX });
        }
        let mut nodes = BTreeSet::new();
        let mut replicas = Vec::with_capacity(count);
        let mut live = Members::NONE;
        let mut leader = None;
        for (place, placed) in placement.0.iter().enumerate() {
            if !nodes.insert(placed.node) {
                return Err(PlacementRefusal::Twice { partition, node: placed.node });
            }
            let broker = self.brokers.get(&placed.node).ok_or(PlacementRefusal::UnknownNode(placed.node))?;
            let slot = self.directories.iter().position(|directory| *directory == placed.directory);
            let slot = slot.filter(|_| broker.directories.contains(&placed.directory));
            let slot = slot.and_then(|slot| u32::try_from(slot).ok());
            let slot = slot.ok_or(PlacementRefusal::UnknownDirectory(placed.node))?;
            replicas.push(Replica { node: placed.node, directory: DirectorySlot(slot) });
            if !broker.fenced {
                live = live.with(Members::one(place));
                leader = leader.or(Some(place));
            }
        }
        if leader.is_none() {
            return Err(PlacementRefusal::NoneLive(partition));
        }
        let mut made = Partition::new(&replicas);
        made.isr = live;
        made.set_leader(leader);
        Ok(made)
    }
}
