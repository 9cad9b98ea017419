//! `State`: the one place where commands become metadata.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aquifer_types::{NodeId, TimestampMs, TopicId, TopicPartition};

use crate::answer::{Answer, FeatureRefusal, InitRefusal, RunRefusal};
use crate::command::{AlterPartitions, BrokerRun, Change, Command, FeatureUpdate, InitCluster};
use crate::config::TopicConfig;
use crate::delta::Delta;
use crate::features::{METADATA_FEATURE, feature};
use crate::image::Image;
use crate::partition::Partition;
use crate::topic::Topic;

/// The cluster's metadata with what only applying needs.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub(crate) image: Image,
    /// Which topics each node has replicas of, so that what happens to a broker looks at its partitions only.
    pub(crate) hosted: BTreeMap<NodeId, BTreeSet<TopicId>>,
}

impl Default for State {
    fn default() -> State {
        State::new()
    }
}

impl State {
    /// The state before the first command.
    #[must_use]
    pub fn new() -> State {
        State { image: Image::empty(), hosted: BTreeMap::new() }
    }

    /// What readers get: a clone of a few pointers.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Applies the command at `index` and appends what it changed to `deltas`. A refusal changes nothing but the clock.
    ///
    /// # Panics
    /// If an index comes twice or out of order: the log was broken, and going on would fork the cluster.
    pub fn apply(&mut self, index: u64, command: &Command, deltas: &mut Vec<Delta>) -> Answer {
        assert!(
            index > self.image.applied,
            "command {index} was applied after command {}",
            self.image.applied
        );
        self.image.applied = index;
        self.image.time = self.image.time.max(command.time);
        match &command.change {
            Change::Tick => Answer::Ticked,
            Change::InitCluster(init) => Answer::ClusterInitialized(self.init_cluster(init, deltas)),
            Change::RegisterBroker(register) => {
                Answer::BrokerRegistered(self.register_broker(register, deltas))
            }
            Change::FenceBroker(run) => Answer::BrokerFenced(self.fence_broker(*run, deltas)),
            Change::UnfenceBroker(run) => Answer::BrokerUnfenced(self.unfence_broker(*run, deltas)),
            Change::CreateTopics(topics) => {
                Answer::TopicsCreated(topics.iter().map(|topic| self.create_topic(topic, deltas)).collect())
            }
            Change::DeleteTopics(keys) => {
                Answer::TopicsDeleted(keys.iter().map(|key| self.delete_topic(key, deltas)).collect())
            }
            Change::CreatePartitions(topics) => Answer::PartitionsCreated(
                topics.iter().map(|new| self.create_partitions(new, deltas)).collect(),
            ),
            Change::AlterConfigs(alters) => {
                Answer::ConfigsAltered(alters.iter().map(|alter| self.alter_config(alter, deltas)).collect())
            }
            Change::AllocateProducerIds(allocate) => {
                let run = self.image.check_run(allocate.run);
                Answer::ProducerIdsAllocated(
                    run.map_err(Into::into).and_then(|()| {
                        self.image.producer_ids.allocate(allocate.count, allocate.spare_prefix)
                    }),
                )
            }
            Change::AlterPartitions(AlterPartitions { run, partitions }) => Answer::PartitionsAltered(
                partitions.iter().map(|alter| self.alter_partition(*run, alter, deltas)).collect(),
            ),
            Change::UpdateFeatures(updates) => Answer::FeaturesUpdated(
                updates.iter().map(|update| self.update_feature(update, deltas)).collect(),
            ),
            Change::TierCommit(commit) => {
                let new = self.new_bundles(commit.ranges.iter().map(|add| &add.range));
                let adds = commit.ranges.iter();
                let commits = adds.map(|add| self.commit_range(commit.run, add, &new, deltas));
                Answer::TierCommitted(commits.collect())
            }
            Change::TierTrim(trim) => {
                let starts = trim.starts.iter();
                Answer::TierTrimmed(starts.map(|start| self.trim_tier(trim.run, start, deltas)).collect())
            }
            Change::TierDelete(delete) => Answer::TierDeleted(self.delete_ranges(delete, deltas)),
            Change::UndeleteTopic(undelete) => Answer::TopicUndeleted(self.undelete_topic(undelete, deltas)),
            Change::Fence(fence) => Answer::Fenced(self.fence(fence, deltas)),
            Change::TierForget(gone) => Answer::TierForgotten(
                gone.iter().map(|(at, upto)| self.forget_ranges(*at, *upto, deltas)).collect(),
            ),
            Change::TierReplace(replace) => {
                let new = self.new_bundles(replace.stretches.iter().flat_map(|stretch| &stretch.ranges));
                let stretches = replace.stretches.iter();
                let replaced =
                    stretches.map(|stretch| self.replace_ranges(replace.run, stretch, &new, deltas));
                Answer::TierReplaced(replaced.collect())
            }
            Change::TierDeleteReplaced(delete) => Answer::TierDeleted(self.delete_replaced(delete, deltas)),
            Change::TierForgetReplaced(gone) => Answer::TierForgotten(
                gone.iter().map(|(at, upto)| self.forget_replaced(*at, upto, deltas)).collect(),
            ),
            Change::TierForgetBundles(gone) => {
                Answer::TierForgotten(gone.iter().map(|key| self.forget_bundle(*key)).collect())
            }
        }
    }

    /// The same command again, with the same id, is a retry.
    fn init_cluster(&mut self, init: &InitCluster, deltas: &mut Vec<Delta>) -> Result<(), InitRefusal> {
        match self.image.cluster {
            Some(cluster) if cluster == init.cluster => return Ok(()),
            Some(cluster) => return Err(InitRefusal::Initialized(cluster)),
            None => {}
        }
        if !feature(METADATA_FEATURE).is_some_and(|known| (known.min..=known.max).contains(&init.level)) {
            return Err(InitRefusal::Level(init.level));
        }
        self.image.cluster = Some(init.cluster);
        self.image.producer_ids.prefixes.push(init.producer_prefix);
        self.set_feature(METADATA_FEATURE, init.level);
        deltas.push(Delta::ClusterInitialized);
        Ok(())
    }

    fn update_feature(
        &mut self,
        update: &FeatureUpdate,
        deltas: &mut Vec<Delta>,
    ) -> Result<(), FeatureRefusal> {
        let known = self.image.check_feature(update)?;
        let FeatureUpdate { level, .. } = *update;
        if self.image.features.get(known.name) != Some(&level) {
            self.set_feature(known.name, level);
            deltas.push(Delta::FeaturesChanged);
        }
        Ok(())
    }

    fn set_feature(&mut self, name: &str, level: i16) {
        Arc::make_mut(&mut self.image.features).insert(name.to_owned(), level);
        self.image.features_epoch = self.image.applied;
    }

    /// Changes a partition that exists, raises its epochs if anything is different, and says so in `deltas`.
    pub(crate) fn edit_partition(
        &mut self,
        at: TopicPartition,
        deltas: &mut Vec<Delta>,
        edit: impl FnOnce(&Topic, &mut Partition),
    ) {
        let Some(topic) = self.image.topics.get(&at.topic) else { return };
        let Some(before) = topic.partition(at.partition) else { return };
        let mut after = before.clone();
        edit(topic, &mut after);
        if after == *before {
            return;
        }
        after.partition_epoch = before.partition_epoch.next();
        if after.leader() != before.leader() {
            after.leader_epoch = before.leader_epoch.next();
        }
        let Ok(place) = usize::try_from(at.partition.0) else { return };
        if let Some(topic) = self.image.topics.get_mut(&at.topic) {
            Arc::make_mut(topic).partitions.set(place, after);
            deltas.push(Delta::PartitionChanged(at));
        }
    }

    /// The partitions of which a node has a replica.
    pub(crate) fn partitions_on(&self, node: NodeId) -> Vec<TopicPartition> {
        let mut found = Vec::new();
        for id in self.hosted.get(&node).into_iter().flatten() {
            let Some(topic) = self.image.topics.get(id) else { continue };
            let here = topic.partitions().filter(|(_, partition)| partition.has_replica(node));
            found.extend(here.map(|(index, _)| topic.at(index)));
        }
        found
    }

    /// Notes which nodes have replicas of new partitions.
    pub(crate) fn host<'a>(&mut self, topic: TopicId, partitions: impl IntoIterator<Item = &'a Partition>) {
        for replica in partitions.into_iter().flat_map(Partition::replicas) {
            self.hosted.entry(replica.node).or_default().insert(topic);
        }
    }
}

impl Image {
    /// Nothing but what a cluster starts from.
    pub(crate) fn empty() -> Image {
        Image {
            applied: 0,
            time: TimestampMs(0),
            cluster: None,
            incarnation: aquifer_manifest::FIRST_INCARNATION,
            producer_ids: Default::default(),
            features: Arc::default(),
            features_epoch: 0,
            directories: Arc::default(),
            brokers: Arc::default(),
            topics: Default::default(),
            tiers: Default::default(),
            bundles: Default::default(),
            fences: Default::default(),
            deleted: Default::default(),
            names: Default::default(),
            collisions: Default::default(),
            partition_count: 0,
            cluster_config: Arc::default(),
            groups: Default::default(),
            default_config: Arc::new(TopicConfig::of_defaults()),
        }
    }

    /// Whether this is the current run of a registered broker.
    pub(crate) fn check_run(&self, run: BrokerRun) -> Result<(), RunRefusal> {
        let broker = self.brokers.get(&run.node).ok_or(RunRefusal::Unknown(run.node))?;
        if broker.epoch != run.epoch {
            return Err(RunRefusal::Stale { node: run.node, current: broker.epoch });
        }
        Ok(())
    }
}
