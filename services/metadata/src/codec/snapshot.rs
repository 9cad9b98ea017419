//! The bytes of a snapshot: one record per thing, each with its kind, version and length, then an end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aquifer_manifest::{FIRST_INCARNATION, HeldBundle, ReplacedRanges, Tier};
use aquifer_types::{BrokerEpoch, DirectoryId, Incarnation, NodeId, TopicPartition};

use crate::broker::{Broker, Endpoint};
use crate::codec::config::{Names, put_map, take_map};
use crate::codec::wire::{DecodeError, Input, Wire, fields, put_no_tagged};
use crate::image::Image;
use crate::partition::{DirectorySlot, Members, Partition, REPLICAS_MAX, Replica};
use crate::state::{Deleted, State};
use crate::topic::{Partitions, Topic};

const VERSION: u8 = 1;

mod kind {
    pub(super) const CLUSTER: u64 = 1;
    pub(super) const DIRECTORIES: u64 = 2;
    pub(super) const CLUSTER_CONFIG: u64 = 3;
    pub(super) const BROKER: u64 = 4;
    pub(super) const TOPIC: u64 = 5;
    pub(super) const GROUP: u64 = 6;
    /// Nothing follows; a snapshot without it was cut.
    pub(super) const END: u64 = 7;
    pub(super) const TIER: u64 = 8;
    /// Only of clusters that were restored.
    pub(super) const INCARNATION: u64 = 9;
    pub(super) const DELETED_TOPIC: u64 = 10;
    pub(super) const FENCE: u64 = 11;
    /// Only of partitions of which ranges were replaced; after their tiers.
    pub(super) const REPLACED_RANGES: u64 = 12;
    /// There is one wherever a tier has a range in a bundle.
    pub(super) const BUNDLE: u64 = 13;
}

/// The bytes of everything in an image; equal images give equal bytes.
#[must_use]
pub fn encode_snapshot(image: &Image) -> Vec<u8> {
    let mut out = Vec::new();
    put_record(kind::CLUSTER, &mut out, |body| put_cluster(image, body));
    put_record(kind::DIRECTORIES, &mut out, |body| image.directories.to_vec().put(body));
    put_record(kind::CLUSTER_CONFIG, &mut out, |body| put_map(&image.cluster_config, body));
    for broker in image.brokers.values() {
        put_record(kind::BROKER, &mut out, |body| StoredBroker::of(broker).put(body));
    }
    for topic in image.topics.values() {
        put_record(kind::TOPIC, &mut out, |body| put_topic(topic, body));
    }
    for (group, own) in image.groups.iter() {
        put_record(kind::GROUP, &mut out, |body| {
            group.put(body);
            put_map(own, body);
        });
    }
    for (at, tier) in image.tiers() {
        put_record(kind::TIER, &mut out, |body| put_tier(at, tier, body));
        let replaced = tier.replaced();
        if !replaced.all().is_empty() {
            put_record(kind::REPLACED_RANGES, &mut out, |body| {
                at.put(body);
                replaced.all().to_vec().put(body);
                (replaced.deleting().len() as u64).put(body);
            });
        }
    }
    if image.incarnation != FIRST_INCARNATION {
        put_record(kind::INCARNATION, &mut out, |body| image.incarnation.put(body));
    }
    for deleted in image.deleted.values() {
        put_record(kind::DELETED_TOPIC, &mut out, |body| {
            deleted.id.put(body);
            deleted.name.put(body);
            deleted.at.put(body);
            deleted.starts.put(body);
            put_map(&deleted.overrides, body);
        });
    }
    for (at, token) in image.fences.iter() {
        put_record(kind::FENCE, &mut out, |body| {
            at.put(body);
            token.put(body);
        });
    }
    for (key, held) in image.bundles() {
        put_record(kind::BUNDLE, &mut out, |body| {
            key.put(body);
            held.ranges().put(body);
            held.held().put(body);
        });
    }
    put_record(kind::END, &mut out, |_| {});
    out
}

/// The state that these bytes are.
pub fn decode_snapshot(bytes: &[u8]) -> Result<State, DecodeError> {
    let mut input = Input(bytes);
    let mut state = State::new();
    loop {
        let kind = u64::take(&mut input)?;
        let version = input.byte()?;
        let length = input.count()?;
        let mut body = Input(input.bytes(length)?);
        if !(kind::CLUSTER..=kind::BUNDLE).contains(&kind) {
            return Err(DecodeError::UnknownKind(kind));
        }
        if version == 0 || version > VERSION {
            return Err(DecodeError::UnknownVersion { kind, version, known: VERSION });
        }
        take_record(kind, &mut body, &mut state)?;
        body.skip_tagged()?;
        body.end()?;
        if kind == kind::END {
            input.end()?;
            return Ok(state);
        }
    }
}

fn put_record(kind: u64, out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    let mut body = Vec::new();
    put(&mut body);
    put_no_tagged(&mut body);
    kind.put(out);
    VERSION.put(out);
    (body.len() as u64).put(out);
    out.extend_from_slice(&body);
}

fn take_record(kind: u64, body: &mut Input<'_>, state: &mut State) -> Result<(), DecodeError> {
    match kind {
        kind::CLUSTER => take_cluster(body, &mut state.image)?,
        kind::DIRECTORIES => state.image.directories = Arc::new(Vec::<DirectoryId>::take(body)?),
        kind::CLUSTER_CONFIG => state.load_cluster_config(take_map(Names::Broker, body)?),
        kind::BROKER => {
            let broker = StoredBroker::take(body)?.broker();
            state.load_broker(broker)?;
        }
        kind::TOPIC => {
            let topic = take_topic(body, &state.image)?;
            state.load_topic(topic)?;
        }
        kind::GROUP => {
            let group = String::take(body)?;
            let own = take_map(Names::Group, body)?;
            state.image.groups.insert(group, Arc::new(own));
        }
        kind::TIER => {
            let (at, tier) = take_tier(body)?;
            state.image.tiers.insert(at, Arc::new(tier));
        }
        kind::REPLACED_RANGES => {
            let at = Wire::take(body)?;
            let (ranges, deleting) = (Wire::take(body)?, u64::take(body)?);
            let deleting = usize::try_from(deleting).unwrap_or(usize::MAX);
            let replaced = ReplacedRanges::restore(ranges, deleting);
            let replaced = replaced.ok_or(DecodeError::Invalid("replaced range"))?;
            let tier = state.image.tiers.get(&at).ok_or(DecodeError::Invalid("tier"))?;
            let tier = (**tier).clone().with_replaced(replaced);
            state.image.tiers.insert(at, Arc::new(tier));
        }
        kind::BUNDLE => {
            let key = Wire::take(body)?;
            let held = HeldBundle::restore(Wire::take(body)?, Wire::take(body)?);
            state.image.bundles.insert(key, held.ok_or(DecodeError::Invalid("bundle"))?);
        }
        kind::DELETED_TOPIC => {
            let (id, name) = (Wire::take(body)?, Wire::take(body)?);
            let (at, starts) = (Wire::take(body)?, Wire::take(body)?);
            let overrides = take_map(Names::Topic, body)?;
            state.image.deleted.insert(id, Arc::new(Deleted { id, name, overrides, at, starts }));
        }
        kind::FENCE => {
            let (at, token) = (Wire::take(body)?, Wire::take(body)?);
            state.image.fences.insert(at, token);
        }
        kind::INCARNATION => state.image.incarnation = Wire::take(body)?,
        _ => {}
    }
    Ok(())
}

fn put_tier(at: TopicPartition, tier: &Tier, out: &mut Vec<u8>) {
    at.put(out);
    tier.start().put(out);
    tier.end().put(out);
    tier.deleting_upto().put(out);
    tier.ranges().to_vec().put(out);
    tier.unlinked().to_vec().put(out);
}

fn take_tier(input: &mut Input<'_>) -> Result<(TopicPartition, Tier), DecodeError> {
    let at = Wire::take(input)?;
    let (start, end, deleting_upto) = (Wire::take(input)?, Wire::take(input)?, Wire::take(input)?);
    let (ranges, unlinked) = (Wire::take(input)?, Wire::take(input)?);
    let tier = Tier::restore(start, end, deleting_upto, ranges, unlinked);
    Ok((at, tier.ok_or(DecodeError::Invalid("tier"))?))
}

fn put_cluster(image: &Image, out: &mut Vec<u8>) {
    image.applied.put(out);
    image.time.put(out);
    image.cluster.put(out);
    image.producer_ids.prefixes.put(out);
    image.producer_ids.next.put(out);
    image.features_epoch.put(out);
    (image.features.len() as u64).put(out);
    for (name, level) in image.features.iter() {
        name.put(out);
        level.put(out);
    }
}

fn take_cluster(input: &mut Input<'_>, image: &mut Image) -> Result<(), DecodeError> {
    image.applied = Wire::take(input)?;
    image.time = Wire::take(input)?;
    image.cluster = Wire::take(input)?;
    image.producer_ids.prefixes = Wire::take(input)?;
    image.producer_ids.next = Wire::take(input)?;
    image.features_epoch = Wire::take(input)?;
    let mut features = BTreeMap::new();
    for _ in 0..input.count()? {
        let name = String::take(input)?;
        features.insert(name, i16::take(input)?);
    }
    image.features = Arc::new(features);
    Ok(())
}

/// A broker as it is stored: its set of replicas as a list.
struct StoredBroker {
    node: NodeId,
    incarnation: Incarnation,
    epoch: BrokerEpoch,
    endpoints: Vec<Endpoint>,
    rack: Option<String>,
    directories: Vec<DirectoryId>,
    fenced: bool,
    untrusted: Vec<TopicPartition>,
}

fields!(StoredBroker { node, incarnation, epoch, endpoints, rack, directories, fenced, untrusted });

impl StoredBroker {
    fn of(broker: &Broker) -> StoredBroker {
        StoredBroker {
            node: broker.node,
            incarnation: broker.incarnation,
            epoch: broker.epoch,
            endpoints: broker.endpoints.clone(),
            rack: broker.rack.clone(),
            directories: broker.directories.clone(),
            fenced: broker.fenced,
            untrusted: broker.untrusted.iter().copied().collect(),
        }
    }

    fn broker(self) -> Broker {
        Broker {
            node: self.node,
            incarnation: self.incarnation,
            epoch: self.epoch,
            endpoints: self.endpoints,
            rack: self.rack,
            directories: self.directories,
            fenced: self.fenced,
            untrusted: self.untrusted.into_iter().collect::<BTreeSet<_>>(),
        }
    }
}

fn put_topic(topic: &Topic, out: &mut Vec<u8>) {
    topic.id.put(out);
    topic.name.put(out);
    topic.created.put(out);
    topic.replication_default.put(out);
    put_map(&topic.overrides, out);
    (topic.partitions.len() as u64).put(out);
    for partition in topic.partitions.iter() {
        put_partition(partition, out);
    }
}

/// Topics come after what they lean on: the cluster's config.
fn take_topic(input: &mut Input<'_>, image: &Image) -> Result<Topic, DecodeError> {
    let id = Wire::take(input)?;
    let name = Wire::take(input)?;
    let created = Wire::take(input)?;
    let replication_default = Wire::take(input)?;
    let overrides = take_map(Names::Topic, input)?;
    let count = input.count()?;
    let mut list = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        list.push(take_partition(input, image.directories.len())?);
    }
    let mut partitions = Partitions::default();
    partitions.extend(list);
    let config = image.resolve(&name, &overrides);
    Ok(Topic { id, name, created, replication_default, overrides, config, partitions })
}

fn put_partition(partition: &Partition, out: &mut Vec<u8>) {
    (partition.replicas().len() as u64).put(out);
    for replica in partition.replicas() {
        replica.node.put(out);
        replica.directory.0.put(out);
    }
    partition.leader_place().map(|place| place as u64).put(out);
    partition.leader_epoch.put(out);
    partition.partition_epoch.put(out);
    for members in
        [partition.isr, partition.elr, partition.last_known_elr, partition.adding, partition.removing]
    {
        members.bits().put(out);
    }
    partition.recovery.put(out);
    put_no_tagged(out);
}

fn take_partition(input: &mut Input<'_>, directories: usize) -> Result<Partition, DecodeError> {
    let count = input.count()?;
    if count == 0 || count > REPLICAS_MAX {
        return Err(DecodeError::Invalid("partition"));
    }
    let mut replicas = Vec::with_capacity(count);
    for _ in 0..count {
        let node = Wire::take(input)?;
        let directory = u32::take(input)?;
        if !usize::try_from(directory).is_ok_and(|slot| slot < directories) {
            return Err(DecodeError::Invalid("directory"));
        }
        replicas.push(Replica { node, directory: DirectorySlot(directory) });
    }
    let mut partition = Partition::new(&replicas);
    let leader: Option<u64> = Wire::take(input)?;
    let leader = leader.map(|place| usize::try_from(place).unwrap_or(usize::MAX));
    partition.leader_epoch = Wire::take(input)?;
    partition.partition_epoch = Wire::take(input)?;
    let mut members = || -> Result<Members, DecodeError> {
        Members::from_bits(u16::take(input)?, count).ok_or(DecodeError::Invalid("members"))
    };
    partition.isr = members()?;
    partition.elr = members()?;
    partition.last_known_elr = members()?;
    partition.adding = members()?;
    partition.removing = members()?;
    if leader.is_some_and(|place| place >= count || !partition.isr.contains(place)) {
        return Err(DecodeError::Invalid("leader"));
    }
    partition.set_leader(leader);
    partition.recovery = Wire::take(input)?;
    input.skip_tagged()?;
    Ok(partition)
}
