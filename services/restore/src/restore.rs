//! `restore`: from a URL to a data directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use aquifer_disk::Disk;
use aquifer_hotlog::format::{Layout, Meta};
use aquifer_manifest::{BundleKey, FoundRange, ObjectKey, Place, StateKey, StateKind, StateObject, Tier};
use aquifer_metadata::{Image, ProducerPrefix, Restore, State, Topic, decode_snapshot, encode_snapshot};
use aquifer_objects::{Problem, Store};
use aquifer_runtime::Runtime;
use aquifer_tiering::{FoundObject, Survey, clusters, read_footer, read_state, survey};
use aquifer_types::{ClusterId, DirectoryId, NodeId, PartitionIndex, TimestampMs, TopicId, TopicPartition};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use crate::bundles::{Bundled, look_into_bundles};
use crate::copy::{copy, readable};
use crate::directory::{check_empty, prepare, settle};
use crate::error::RestoreError;
use crate::groups::{OFFSETS_TOPIC, Offsets, Sources, begin_offsets_logs_anew, groups};
use crate::partition::remains;
use crate::report::{Report, RestoredPartition, UnknownTopic};

/// Footers that are read at a time.
const FOOTERS_MAX: usize = 64;

/// What is restored, and to where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `tier.url` of the cluster.
    pub url: String,
    /// Where several clusters share it.
    pub cluster: Option<ClusterId>,
    pub data_dir: PathBuf,
    pub node: NodeId,
    /// Only these topics, as a cluster of their own beside the one they are of; all, as that cluster, where none is named.
    pub topics: Vec<String>,
    /// Leave out what was uploaded later.
    pub at: Option<TimestampMs>,
    /// Only say what would come back.
    pub dry_run: bool,
    /// The bucket is not told: the cluster goes on where it is, and the directory only shows what it has in the bucket.
    pub is_mount: bool,
}

/// What is left of all partitions.
#[derive(Default)]
struct Found {
    tiers: BTreeMap<TopicPartition, Tier>,
    lost: BTreeMap<TopicPartition, usize>,
    added: BTreeMap<TopicPartition, usize>,
    problems: Vec<String>,
}

/// Makes a data directory of what the bucket says, and has the bucket say that the cluster goes on there.
pub async fn restore(
    options: &Options,
    disk: &Arc<dyn Disk>,
    runtime: &Runtime,
) -> Result<Report, RestoreError> {
    check_empty(&**disk, &options.data_dir)?;
    let store = Store::open_existing(&options.url, runtime).await?;
    let cluster = choose(&store, options).await?;
    let mut survey = survey(&store, cluster).await?;
    let mut problems = survey.strange.iter().map(|name| format!("'{name}' is none of our names")).collect();
    let state = newest(&store, cluster, &survey, StateKind::Meta, options.at, &mut problems).await?;
    let Some(state) = state else { return Err(RestoreError::NoState(cluster, problems.join("; "))) };
    let before = decode_snapshot(&state.body)?.image().clone();
    let incarnation = next_incarnation(&survey)?;

    let bundled = place_bundles(&store, cluster, &mut survey, &before, &mut problems).await?;
    let mut found =
        partitions(&store, cluster, (&survey, bundled), &before, (state.key.incarnation, options.at)).await;
    found.problems.splice(0..0, problems);
    let left_out = left_out(&before, options)?;
    found.tiers.retain(|at, _| !left_out.contains(&at.topic));
    let alone = (!options.topics.is_empty()).then(|| ClusterId(runtime.random_uuid()));
    let mirrors = begin_offsets_logs_anew(&before, alone.is_some(), &mut found.tiers);
    if let Some(alone) = alone {
        found.tiers.retain(|at, _| before.partition(*at).is_some());
        found.tiers.values_mut().for_each(|tier| *tier = readable(tier));
        if !options.dry_run {
            let gone = copy(&store, (cluster, alone), &mut found.tiers).await?;
            found
                .problems
                .extend((gone > 0).then(|| format!("{gone} objects were deleted while they were copied")));
        }
    }
    let directory = DirectoryId(runtime.random_uuid());
    let cluster_to_be = alone.unwrap_or(cluster);
    let restored = State::restored(
        &before,
        Restore {
            cluster: cluster_to_be,
            incarnation,
            node: options.node,
            directory,
            producer_prefix: unused_prefix(&before, runtime),
            left_out,
            tiers: found.tiers.clone(),
        },
    );
    let image = restored.image();
    let sources = Sources { store: &store, cluster, survey: &survey, mirrors: &mirrors, at: options.at };
    let (seeds, offsets) = groups(&sources, image, &mut found.problems).await?;
    let report = report(options, &survey, &state, image, &found, &offsets);
    if options.dry_run {
        return Ok(report);
    }
    let layout = Layout::new(options.data_dir.clone());
    let meta = Meta { cluster: cluster_to_be, node: options.node, directory };
    let writing = {
        let (disk, layout, restored) = (disk.clone(), layout.clone(), restored.clone());
        let now = runtime.now().wall;
        move || prepare(&disk, &layout, &meta, &restored, &seeds, now)
    };
    runtime.spawn_blocking("write-directory", writing).await.ok_or(RestoreError::Panicked)??;
    if !options.is_mount {
        begin(&store, cluster_to_be, &restored, runtime).await?;
    }
    settle(&**disk, &layout, &meta)?;
    Ok(report)
}

async fn choose(store: &Store, options: &Options) -> Result<ClusterId, RestoreError> {
    let found = clusters(store).await?;
    match (options.cluster, found.as_slice()) {
        (Some(wanted), _) if found.contains(&wanted) => Ok(wanted),
        (Some(wanted), _) => Err(RestoreError::UnknownCluster(wanted)),
        (None, [only]) => Ok(*only),
        (None, []) => Err(RestoreError::NoCluster(options.url.clone())),
        (None, _) => Err(RestoreError::SeveralClusters(found)),
    }
}

/// The newest state of a kind that can be read and was written by a time; the oldest, if all are younger.
pub(crate) async fn newest(
    store: &Store,
    cluster: ClusterId,
    survey: &Survey,
    kind: StateKind,
    at: Option<TimestampMs>,
    problems: &mut Vec<String>,
) -> Result<Option<StateObject>, RestoreError> {
    let mut oldest = None;
    for listed in survey.states.get(&kind).into_iter().flatten().rev() {
        match read_state(store, cluster, kind, *listed).await {
            Ok(state) if at.is_none_or(|at| state.written <= at) => return Ok(Some(state)),
            Ok(state) => oldest = Some(state),
            Err(aquifer_tiering::SurveyError::Store(error)) if error.is_passing() => return Err(error.into()),
            Err(error) => problems.push(error.to_string()),
        }
    }
    Ok(oldest)
}

fn next_incarnation(survey: &Survey) -> Result<u16, RestoreError> {
    let states = survey.states.get(&StateKind::Meta).into_iter().flatten();
    let last = states.map(|(key, _)| key.incarnation).max().unwrap_or(0);
    last.checked_add(1).ok_or(RestoreError::Incarnations)
}

/// Ranges of bundles by what is known of them: the state names those of the bundles that it knows, others say so themselves.
async fn place_bundles(
    store: &Store,
    cluster: ClusterId,
    survey: &mut Survey,
    before: &Image,
    problems: &mut Vec<String>,
) -> Result<Bundled, RestoreError> {
    let named = before.tiers().flat_map(|(at, tier)| tier.named().map(move |range| (at, range)));
    survey.place(named);
    let unknown = survey.bundles.iter().filter(|(key, _)| before.bundle(**key).is_none());
    let unknown: Vec<(BundleKey, FoundObject)> = unknown.map(|(key, object)| (*key, *object)).collect();
    let (found, unreadable) = look_into_bundles(store, cluster, survey, unknown).await?;
    problems.extend(unreadable);
    Ok(found)
}

/// What is left of every partition that the state names, and what goes on there.
async fn partitions(
    store: &Store,
    cluster: ClusterId,
    (survey, mut bundled): (&Survey, Bundled),
    before: &Image,
    (incarnation, at): (u16, Option<TimestampMs>),
) -> Found {
    let until = at.unwrap_or(TimestampMs(i64::MAX));
    let known = before.tiers().map(|(at, _)| at);
    let listed = survey.objects.keys().copied().filter(|at| before.partition(*at).is_some());
    let all: BTreeSet<TopicPartition> = known.chain(listed).collect();
    let nothing = BTreeMap::new();
    let mut found = Found::default();
    let mut candidates = Vec::new();
    let mut left_of = BTreeMap::new();
    for at in all {
        let objects = survey.objects.get(&at).unwrap_or(&nothing);
        let left = remains(before.tier(at).map(|tier| &**tier), objects, incarnation, until);
        let Some(left) = left else { continue };
        // A deleted topic's log does not go on.
        if before.partition(at).is_some() || left.lost > 0 {
            candidates.extend(left.candidates.iter().map(|(key, object)| (at, *key, *object)));
            let tail = left.tail().filter(|_| !left.candidates.is_empty()).map(ObjectKey::of);
            candidates.extend(tail.and_then(|key| Some((at, key, *objects.get(&key)?))));
        }
        left_of.insert(at, left);
    }
    let mut later: BTreeMap<TopicPartition, Vec<_>> = BTreeMap::new();
    candidates.retain(|(at, key, _)| match bundled.remove(&(*at, *key)) {
        Some(range) => {
            later.entry(*at).or_default().push(range);
            false
        }
        None => true,
    });
    let reads = stream::iter(candidates).map(|(at, key, object)| async move {
        let place = Place { cluster, partition: at };
        let read = read_footer(store, &place, key, object).await;
        (at, read.map(|(range, footer)| FoundRange::new(range, &footer, object.uploaded)))
    });
    let mut reads = reads.buffer_unordered(FOOTERS_MAX);
    while let Some((at, read)) = reads.next().await {
        match read {
            Ok(range) => later.entry(at).or_default().push(range),
            Err(error) => found.problems.push(error.to_string()),
        }
    }
    for (at, left) in left_of {
        let objects = survey.objects.get(&at).unwrap_or(&nothing);
        let later = later.remove(&at).unwrap_or_default();
        let goes_on = before.partition(at).is_some();
        let (tier, lost, added) = left.settle(objects, &later, (goes_on, before.time()));
        found.lost.insert(at, lost);
        if added > 0 {
            found.added.insert(at, added);
        }
        found.tiers.insert(at, tier);
    }
    found
}

/// Topics that are not asked for, or did not exist at that time. Where groups keep their offsets comes back always.
fn left_out(before: &Image, options: &Options) -> Result<BTreeSet<TopicId>, RestoreError> {
    if let Some(unknown) = options.topics.iter().find(|name| before.topic(name).is_none()) {
        return Err(RestoreError::UnknownTopic(unknown.clone()));
    }
    let is_wanted = |topic: &Topic| {
        let name = topic.name().as_str();
        let named = options.topics.is_empty() || options.topics.iter().any(|wanted| wanted == name);
        (named && options.at.is_none_or(|at| topic.created() <= at)) || name == OFFSETS_TOPIC
    };
    Ok(before.topics().filter(|topic| !is_wanted(topic)).map(|topic| topic.id()).collect())
}

fn unused_prefix(before: &Image, runtime: &Runtime) -> ProducerPrefix {
    loop {
        // The lower half of the draw is as random as all of it.
        let drawn = ProducerPrefix::from_random(runtime.random_u64() as u32);
        if let Some(prefix) = drawn.filter(|drawn| !before.producer_prefixes().contains(drawn)) {
            return prefix;
        }
    }
}

/// Has the bucket say that the cluster goes on as this. Only one restore gets to.
async fn begin(
    store: &Store,
    cluster: ClusterId,
    restored: &State,
    runtime: &Runtime,
) -> Result<(), RestoreError> {
    let first = StateObject {
        cluster,
        kind: StateKind::Meta,
        key: StateKey { incarnation: restored.image().incarnation(), sequence: 0 },
        written: runtime.now().wall,
        body: encode_snapshot(restored.image()),
    };
    match store.create(&first.name(), &[Bytes::from(first.encode())]).await {
        Err(error) if error.problem == Problem::Taken => Err(RestoreError::Overtaken),
        created => Ok(created?),
    }
}

fn report(
    options: &Options,
    survey: &Survey,
    state: &StateObject,
    image: &Image,
    found: &Found,
    offsets: &Offsets,
) -> Report {
    let partitions = image
        .topics()
        .filter(|topic| !topic.is_internal())
        .flat_map(|topic| topic.partitions().map(|(index, _)| partition(survey, image, found, topic, index)));
    let mut unknown: BTreeMap<TopicId, UnknownTopic> = BTreeMap::new();
    for (at, objects) in &survey.objects {
        if found.tiers.contains_key(at) || !options.topics.is_empty() {
            continue;
        }
        let none = || UnknownTopic { id: at.topic.to_string(), objects: 0, bytes: 0 };
        let topic = unknown.entry(at.topic).or_insert_with(none);
        topic.objects += objects.len();
        topic.bytes += objects.values().map(|object| object.bytes).sum::<u64>();
    }
    Report {
        cluster: image.cluster().unwrap_or(state.cluster).to_string(),
        from_cluster: state.cluster.to_string(),
        incarnation: image.incarnation(),
        state_incarnation: state.key.incarnation,
        state_written_ms: state.written.0,
        at_ms: options.at.map(|at| at.0),
        topics: image.topics().filter(|topic| !topic.is_internal()).count(),
        partitions: partitions.collect(),
        offsets: offsets.records.len(),
        offsets_lowered: offsets.lowered,
        offsets_dropped: offsets.dropped,
        unknown_topics: unknown.into_values().collect(),
        problems: found.problems.clone(),
        dry_run: options.dry_run,
    }
}

fn partition(
    survey: &Survey,
    image: &Image,
    found: &Found,
    topic: &Topic,
    index: PartitionIndex,
) -> RestoredPartition {
    let at = topic.at(index);
    let tier = image.tier(at);
    let last = tier.and_then(|tier| tier.live().last());
    let uploaded = last.and_then(|last| survey.objects.get(&at)?.get(&ObjectKey::of(last)));
    let not_tiered = (!topic.config().tiered).then_some("not tiered");
    RestoredPartition {
        topic: topic.name().to_string(),
        partition: index.0,
        start: tier.map_or(0, |tier| tier.start().0),
        end: tier.map_or(0, |tier| tier.end().0),
        objects: tier.map_or(0, |tier| tier.live().len()),
        bytes: tier.map_or(0, |tier| tier.live_bytes()),
        objects_found: found.added.get(&at).copied().unwrap_or(0),
        objects_lost: found.lost.get(&at).copied().unwrap_or(0),
        not_tiered: not_tiered.filter(|_| tier.is_none()),
        complete_until_ms: uploaded.map(|object| object.uploaded.0),
    }
}
