//! The next life of a cluster whose quorum is lost: the state that a restore begins with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aquifer_manifest::{BundleKey, HeldBundle, Tier};
use aquifer_types::{ClusterId, DirectoryId, LeaderEpoch, NodeId, TopicId, TopicPartition};

use crate::image::Image;
use crate::partition::{DirectorySlot, Members, Partition, Replica};
use crate::producer_ids::ProducerPrefix;
use crate::state::State;
use crate::topic::{Partitions, Topic};

/// What a restore decides.
#[derive(Clone, Debug)]
pub struct Restore {
    /// Another one where only some topics come back, beside the cluster that they were of.
    pub cluster: ClusterId,
    /// Above that of every earlier life.
    pub incarnation: u16,
    /// The only node at first: every partition has its one copy there.
    pub node: NodeId,
    pub directory: DirectoryId,
    /// The ids of new producers have it, so that they are not those of records that are lost.
    pub producer_prefix: ProducerPrefix,
    /// Topics that do not come back.
    pub left_out: BTreeSet<TopicId>,
    /// What every partition has in the bucket, those of deleted topics included.
    pub tiers: BTreeMap<TopicPartition, Tier>,
}

impl State {
    /// What `image` says, as far as the bucket still has it. Nobody leads until the node registers; leaders' epochs are
    /// those of the newest range at least, so that the next ones are greater than any that wrote to the bucket.
    #[must_use]
    pub fn restored(image: &Image, restore: Restore) -> State {
        let Restore { cluster, incarnation, node, directory, producer_prefix, left_out, tiers } = restore;
        let mut state = State::new();
        state.image = Image {
            cluster: Some(cluster),
            incarnation,
            directories: Arc::new(vec![directory]),
            brokers: Arc::default(),
            topics: Default::default(),
            names: Default::default(),
            collisions: Default::default(),
            partition_count: 0,
            tiers: Default::default(),
            bundles: Default::default(),
            fences: Default::default(),
            deleted: Default::default(),
            ..image.clone()
        };
        state.image.producer_ids.prefixes.push(producer_prefix);
        state.image.producer_ids.next = 0;
        let comes_back =
            |at: TopicPartition| image.topic_by_id(at.topic).is_some() && !left_out.contains(&at.topic);
        for (at, token) in image.fences.iter().filter(|(at, _)| comes_back(**at)) {
            state.image.fences.insert(*at, *token);
        }
        for topic in image.topics().filter(|topic| !left_out.contains(&topic.id())) {
            let moved = topic.partitions().map(|(index, partition)| {
                let written = tiers.get(&topic.at(index)).into_iter().flat_map(|tier| tier.named());
                at_home(partition, node, written.map(|range| range.leader_epoch).max())
            });
            let mut partitions = Partitions::default();
            partitions.extend(moved);
            state.add_topic(Topic { partitions, ..(**topic).clone() });
        }
        for deleted in image.deleted.values() {
            if deleted.partitions().any(|at| tiers.contains_key(&at)) {
                state.image.deleted.insert(deleted.id, deleted.clone());
            }
        }
        let goes_on = image.cluster == Some(cluster);
        for (key, held) in image.bundles.iter().filter(|(_, held)| goes_on && held.is_deleting()) {
            state.image.bundles.insert(*key, *held);
        }
        for (key, held) in held_bundles(image, &tiers) {
            state.image.bundles.insert(key, held);
        }
        for (at, tier) in tiers {
            state.image.tiers.insert(at, Arc::new(tier));
        }
        state
    }
}

/// The bundles of these ranges. What of one was known and does not come back keeps it: somebody may yet want to go back to
/// where it did.
fn held_bundles(
    image: &Image,
    tiers: &BTreeMap<TopicPartition, Tier>,
) -> impl Iterator<Item = (BundleKey, HeldBundle)> {
    let mut counts: BTreeMap<BundleKey, u32> = BTreeMap::new();
    for key in tiers.values().flat_map(Tier::named).filter_map(BundleKey::of) {
        *counts.entry(key).or_default() += 1;
    }
    counts.into_iter().filter_map(|(key, held)| {
        let known = image.bundles.get(&key);
        let (ranges, held) =
            known.map_or((held, held), |known| (known.ranges().max(held), known.held().max(held)));
        Some((key, HeldBundle::restore(ranges, held)?))
    })
}

/// The partition with its one copy on the node, which has all that is left of it.
fn at_home(before: &Partition, node: NodeId, written: Option<LeaderEpoch>) -> Partition {
    let mut partition = Partition::new(&[Replica { node, directory: DirectorySlot(0) }]);
    partition.leader_epoch = written.map_or(before.leader_epoch, |written| written.max(before.leader_epoch));
    partition.partition_epoch = before.partition_epoch;
    partition.isr = Members::one(0);
    partition
}
