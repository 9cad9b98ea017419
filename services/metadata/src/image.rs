//! `Image`: the cluster's metadata as of one command, for readers.

use std::collections::BTreeMap;
use std::sync::Arc;

use aquifer_types::{
    ClusterId, DirectoryId, FencingToken, NodeId, TimestampMs, TopicId, TopicName, TopicPartition,
};

use aquifer_manifest::{BundleKey, HeldBundle, Tier};

use crate::broker::Broker;
use crate::config::{ConfigEntry, ConfigMap, TopicConfig, broker_entries, group_entries, topic_entries};
use crate::cow_map::CowMap;
use crate::features::METADATA_FEATURE;
use crate::partition::{DirectorySlot, Partition};
use crate::producer_ids::{ProducerIds, ProducerPrefix};
use crate::state::Deleted;
use crate::topic::Topic;

/// Everything the cluster knows. A clone copies pointers and sees no later change.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    pub(crate) applied: u64,
    pub(crate) time: TimestampMs,
    pub(crate) cluster: Option<ClusterId>,
    /// Which life of the cluster this is: a restore begins another.
    pub(crate) incarnation: u16,
    pub(crate) producer_ids: ProducerIds,
    pub(crate) features: Arc<BTreeMap<String, i16>>,
    pub(crate) features_epoch: u64,
    /// Only grows: replicas name their directory by its place here.
    pub(crate) directories: Arc<Vec<DirectoryId>>,
    pub(crate) brokers: Arc<BTreeMap<NodeId, Arc<Broker>>>,
    pub(crate) topics: CowMap<TopicId, Arc<Topic>>,
    pub(crate) names: CowMap<TopicName, TopicId>,
    /// Of every partition with ranges in the bucket; of deleted topics too, until their objects are gone.
    pub(crate) tiers: CowMap<TopicPartition, Arc<Tier>>,
    /// Every bundle that is in the bucket, until it is gone.
    pub(crate) bundles: CowMap<BundleKey, HeldBundle>,
    /// Of the partitions that have one.
    pub(crate) fences: CowMap<TopicPartition, FencingToken>,
    /// Topics that are gone, for as long as there are objects of them.
    pub(crate) deleted: CowMap<TopicId, Arc<Deleted>>,
    /// Names with a `.` or `_` by what Kafka's metrics would make of them.
    pub(crate) collisions: CowMap<String, TopicName>,
    pub(crate) partition_count: usize,
    pub(crate) cluster_config: Arc<ConfigMap>,
    pub(crate) groups: CowMap<String, Arc<ConfigMap>>,
    /// What is in force for topics without settings of their own; they share it.
    pub(crate) default_config: Arc<TopicConfig>,
}

impl Image {
    /// The index of the last command in this image; 0 before the first.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The cluster's clock: it never goes back.
    #[must_use]
    pub fn time(&self) -> TimestampMs {
        self.time
    }

    /// None until the cluster was initialized.
    #[must_use]
    pub fn cluster(&self) -> Option<ClusterId> {
        self.cluster
    }

    /// Which life of the cluster this is: a restore begins another.
    #[must_use]
    pub fn incarnation(&self) -> u16 {
        self.incarnation
    }

    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(self.names.get(name)?)
    }

    #[must_use]
    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.get(&id)
    }

    /// All topics by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.names.values().filter_map(|id| self.topics.get(id))
    }

    #[must_use]
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// Partitions of all topics.
    #[must_use]
    pub fn partition_count(&self) -> usize {
        self.partition_count
    }

    #[must_use]
    pub fn partition(&self, at: TopicPartition) -> Option<&Partition> {
        self.topics.get(&at.topic)?.partition(at.partition)
    }

    /// The partition's ranges in the bucket, if it ever had any.
    #[must_use]
    pub fn tier(&self, at: TopicPartition) -> Option<&Arc<Tier>> {
        self.tiers.get(&at)
    }

    /// Every partition with ranges in the bucket, also those of deleted topics.
    pub fn tiers(&self) -> impl Iterator<Item = (TopicPartition, &Arc<Tier>)> {
        self.tiers.iter().map(|(at, tier)| (*at, tier))
    }

    /// Every bundle that the quorum knows.
    pub fn bundles(&self) -> impl Iterator<Item = (BundleKey, HeldBundle)> {
        self.bundles.iter().map(|(key, held)| (*key, *held))
    }

    /// How much of a bundle is still known; none of one that never was, or is gone.
    #[must_use]
    pub fn bundle(&self, key: BundleKey) -> Option<HeldBundle> {
        self.bundles.get(&key).copied()
    }

    #[must_use]
    pub fn broker(&self, node: NodeId) -> Option<&Arc<Broker>> {
        self.brokers.get(&node)
    }

    /// All registered brokers by node id, fenced ones included.
    pub fn brokers(&self) -> impl Iterator<Item = &Arc<Broker>> {
        self.brokers.values()
    }

    /// Brokers that may lead and be in sync.
    pub fn live_brokers(&self) -> impl Iterator<Item = &Arc<Broker>> {
        self.brokers.values().filter(|broker| !broker.fenced)
    }

    /// The directory that a replica is in.
    #[must_use]
    pub fn directory(&self, slot: DirectorySlot) -> Option<DirectoryId> {
        self.directories.get(usize::try_from(slot.0).ok()?).copied()
    }

    /// The cluster's own prefixes of producer ids, newest last.
    #[must_use]
    pub fn producer_prefixes(&self) -> &[ProducerPrefix] {
        &self.producer_ids.prefixes
    }

    /// Finalized levels by feature.
    pub fn features(&self) -> impl Iterator<Item = (&str, i16)> {
        self.features.iter().map(|(name, level)| (name.as_str(), *level))
    }

    /// Rises whenever a level changes.
    #[must_use]
    pub fn features_epoch(&self) -> u64 {
        self.features_epoch
    }

    /// What commands may be proposed; 0 before the cluster was initialized.
    #[must_use]
    pub fn metadata_level(&self) -> i16 {
        self.features.get(METADATA_FEATURE).copied().unwrap_or(0)
    }

    /// What was set for all brokers while they ran.
    #[must_use]
    pub fn cluster_config(&self) -> &ConfigMap {
        &self.cluster_config
    }

    /// What is in force for a topic without settings of its own.
    #[must_use]
    pub fn default_topic_config(&self) -> &Arc<TopicConfig> {
        &self.default_config
    }

    /// What was set on a group.
    #[must_use]
    pub fn group_config(&self, group: &str) -> Option<&ConfigMap> {
        self.groups.get(group).map(|map| &**map)
    }

    /// Groups with settings, by id.
    pub fn configured_groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(|(group, _)| group.as_str())
    }

    /// Every config of a topic, as DescribeConfigs tells it.
    #[must_use]
    pub fn describe_topic(&self, topic: &Topic) -> Vec<ConfigEntry> {
        topic_entries(&topic.overrides, &self.cluster_config)
    }

    /// Every config that a topic would have that sets none, as CreateTopics tells it.
    #[must_use]
    pub fn describe_topic_settings(&self, own: &ConfigMap) -> Vec<ConfigEntry> {
        topic_entries(own, &self.cluster_config)
    }

    /// Every config of a broker; `server` is what its own configuration says, by Kafka's names.
    #[must_use]
    pub fn describe_broker(&self, server: &BTreeMap<String, String>) -> Vec<ConfigEntry> {
        broker_entries(&self.cluster_config, Some(server))
    }

    /// What was set for all brokers while they ran.
    #[must_use]
    pub fn describe_cluster(&self) -> Vec<ConfigEntry> {
        broker_entries(&self.cluster_config, None)
    }

    /// Every config of a group, whether anything was set or not.
    #[must_use]
    pub fn describe_group(&self, group: &str) -> Vec<ConfigEntry> {
        match self.groups.get(group) {
            Some(own) => group_entries(own),
            None => group_entries(&ConfigMap::default()),
        }
    }

    /// Whether a restore that began with the other image would lack nothing: `ranges` may differ, or may not.
    #[must_use]
    pub fn is_same_for_a_restore(&self, other: &Image, ranges: bool) -> bool {
        let same_tiers = || {
            let starts = |image: &Image| -> Vec<_> {
                image.tiers().map(|(at, tier)| (at, tier.start(), tier.deleting_upto())).collect()
            };
            if ranges { starts(self) == starts(other) } else { self.tiers == other.tiers }
        };
        self.incarnation == other.incarnation
            && self.topics == other.topics
            && self.cluster_config == other.cluster_config
            && self.groups == other.groups
            && self.features == other.features
            && self.deleted == other.deleted
            && self.producer_ids.prefixes == other.producer_ids.prefixes
            && same_tiers()
    }

    /// What a topic of this name and these settings lives by; topics without settings share one.
    pub(crate) fn resolve(&self, name: &TopicName, own: &ConfigMap) -> Arc<TopicConfig> {
        if own.is_empty() && !name.is_reserved() {
            return Arc::clone(&self.default_config);
        }
        Arc::new(TopicConfig::resolve(name, own, &self.cluster_config))
    }
}
