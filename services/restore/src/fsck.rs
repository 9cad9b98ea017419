//! `fsck`: whether a bucket holds what its clusters say it does. Writes nothing, and needs no cluster.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_manifest::{BundleKey, Footer, FoundRange, ObjectKey, Place, StateKind, TierRange};
use aquifer_metadata::{Image, decode_snapshot};
use aquifer_objects::Store;
use aquifer_runtime::Runtime;
use aquifer_tiering::{
    FoundObject, Survey, SurveyError, check_chunk, clusters, read_footer, read_state, survey,
};
use aquifer_types::{ClusterId, TimestampMs, TopicPartition};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;

use crate::bundles::look_into_bundles;
use crate::error::RestoreError;
use crate::partition::remains;

/// Objects that are looked into at a time.
const OBJECTS_MAX: usize = 64;
/// And where all of their bytes are read.
const DEEP_MAX: usize = 8;

/// What is looked at, and how closely.
#[derive(Clone, Debug)]
pub struct FsckOptions {
    pub url: String,
    /// All that are there, if none is named.
    pub cluster: Option<ClusterId>,
    /// Read every byte and compare it with its checksum.
    pub deep: bool,
}

/// What was found of one cluster.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterCheck {
    pub cluster: String,
    /// Of the newest state; none where there is no state that can be read.
    pub incarnation: Option<u16>,
    pub state_written_ms: Option<i64>,
    pub partitions: Vec<PartitionCheck>,
    pub bundles: BundleCheck,
    /// Names where ours are that are none of ours.
    pub strange: Vec<String>,
    /// States that cannot be read.
    pub problems: Vec<String>,
}

/// What was found of objects that hold ranges of many partitions.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BundleCheck {
    pub count: usize,
    pub bytes: u64,
    /// Of which nobody names anything.
    pub orphans: usize,
    pub orphan_bytes: u64,
    /// That do not say what is in them: their ranges are looked for where a state says they are.
    pub damaged: Vec<String>,
}

/// What was found of one partition.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PartitionCheck {
    /// Its name, or its id where the state knows none.
    pub topic: String,
    pub partition: i32,
    pub start: i64,
    pub end: i64,
    /// That can be read, those after the state included, and what they take.
    pub objects: usize,
    pub bytes: u64,
    /// That the state does not name and that go on where it ends.
    pub after_state: usize,
    /// That are still to be deleted.
    pub deleting: usize,
    /// Objects of their own that nobody names: uploads that were never committed, or of which nobody knew any more.
    pub orphans: usize,
    pub orphan_bytes: u64,
    /// That the state names to be read, and that are not there, or of another size.
    pub lost: usize,
    /// Objects that are not what they should be.
    pub damaged: Vec<String>,
}

impl ClusterCheck {
    /// Whether everything that can be read is there and whole.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let whole = |partition: &PartitionCheck| partition.lost == 0 && partition.damaged.is_empty();
        let is_whole = self.problems.is_empty() && self.bundles.damaged.is_empty();
        is_whole && self.partitions.iter().all(whole)
    }
}

/// Looks at every cluster in the bucket.
pub async fn fsck(options: &FsckOptions, runtime: &Runtime) -> Result<Vec<ClusterCheck>, RestoreError> {
    let store = Store::open_existing(&options.url, runtime).await?;
    let found = clusters(&store).await?;
    let wanted = match options.cluster {
        Some(cluster) if found.contains(&cluster) => vec![cluster],
        Some(cluster) => return Err(RestoreError::UnknownCluster(cluster)),
        None if found.is_empty() => return Err(RestoreError::NoCluster(options.url.clone())),
        None => found,
    };
    let mut checks = Vec::new();
    for cluster in wanted {
        checks.push(check(&store, cluster, options.deep).await?);
    }
    Ok(checks)
}

async fn check(store: &Store, cluster: ClusterId, deep: bool) -> Result<ClusterCheck, RestoreError> {
    // The state first: what is uploaded or deleted meanwhile is then newer than what it says.
    let before = survey(store, cluster).await?;
    let mut problems = Vec::new();
    let state = states(store, cluster, &before, &mut problems).await?;
    let mut after = survey(store, cluster).await?;
    let (incarnation, written) = state.as_ref().map(|(incarnation, at, _)| (*incarnation, at.0)).unzip();
    let image = state.map(|(_, _, image)| image);
    let nothing = BTreeMap::new();
    // Where a bundle does not say what is in it, the state does.
    let told = image.iter().flat_map(|image| image.tiers());
    after.place(told.flat_map(|(at, tier)| tier.named().map(move |range| (at, range))));
    let mut bundles = BundleCheck { count: after.bundles.len(), ..BundleCheck::default() };
    let listed = after.bundles.iter().map(|(key, object)| (*key, *object)).collect();
    let (_, unreadable) = look_into_bundles(store, cluster, &mut after, listed).await?;
    bundles.bytes = after.bundles.values().map(|object| object.bytes).sum();
    bundles.damaged = unreadable;
    let known = |key: &BundleKey| image.as_ref().is_some_and(|image| image.bundle(*key).is_some());
    let named = image.iter().flat_map(|image| image.tiers().map(|(at, _)| at));
    let all: BTreeSet<TopicPartition> = named.chain(after.objects.keys().copied()).collect();
    let mut partitions = Vec::new();
    let mut used = BTreeSet::new();
    for at in all {
        let objects = after.objects.get(&at).unwrap_or(&nothing);
        let place = Place { cluster, partition: at };
        let (found, left) = partition(store, &place, objects, (image.as_ref(), incarnation), deep).await?;
        partitions.push(found);
        used.extend(left);
    }
    let orphans = after.bundles.iter().filter(|(key, _)| !known(key) && !used.contains(key));
    for (_, object) in orphans {
        bundles.orphans += 1;
        bundles.orphan_bytes += object.bytes;
    }
    Ok(ClusterCheck {
        cluster: cluster.to_string(),
        incarnation,
        state_written_ms: written,
        partitions,
        bundles,
        strange: after.strange,
        problems,
    })
}

/// Reads every state; returns the newest of the quorum's that can be read.
async fn states(
    store: &Store,
    cluster: ClusterId,
    survey: &Survey,
    problems: &mut Vec<String>,
) -> Result<Option<(u16, TimestampMs, Image)>, RestoreError> {
    let mut newest = None;
    for (kind, keys) in &survey.states {
        for listed in keys {
            match read_state(store, cluster, *kind, *listed).await {
                Ok(state) if *kind == StateKind::Meta => match decode_snapshot(&state.body) {
                    Ok(decoded) => {
                        newest = Some((state.key.incarnation, state.written, decoded.image().clone()));
                    }
                    Err(error) => problems.push(format!("'{}': {error}", state.name())),
                },
                Ok(_) => {}
                // Replaced by a newer one since it was listed.
                Err(SurveyError::Store(error)) if error.problem == aquifer_objects::Problem::Missing => {}
                Err(SurveyError::Store(error)) => return Err(error.into()),
                Err(error) => problems.push(error.to_string()),
            }
        }
    }
    Ok(newest)
}

async fn partition(
    store: &Store,
    place: &Place,
    objects: &BTreeMap<ObjectKey, FoundObject>,
    (image, incarnation): (Option<&Image>, Option<u16>),
    deep: bool,
) -> Result<(PartitionCheck, Vec<BundleKey>), RestoreError> {
    let at = place.partition;
    let topic = image.and_then(|image| image.topic_by_id(at.topic));
    let known = image.and_then(|image| image.tier(at));
    let mut found = PartitionCheck {
        topic: topic.map_or_else(|| at.topic.to_string(), |topic| topic.name().to_string()),
        partition: at.partition.0,
        ..PartitionCheck::default()
    };
    let (ranges, mut damaged) = look_into(store, place, objects, deep).await?;
    found.damaged.append(&mut damaged);
    // Without a state, what there is tells where it starts, in the newest incarnation there is.
    let newest = objects.keys().map(|key| aquifer_manifest::incarnation_of(key.generation)).max();
    let incarnation = incarnation.or(newest).unwrap_or(aquifer_manifest::FIRST_INCARNATION);
    let far = TimestampMs(i64::MAX);
    // What of a bundle nobody names goes with the rest of it.
    let own = || objects.iter().filter(|(_, object)| object.position == 0);
    let Some(left) = remains(known.map(|tier| &**tier), objects, incarnation, far) else {
        found.orphans = own().count();
        found.orphan_bytes = own().map(|(_, object)| object.bytes).sum();
        return Ok((found, Vec::new()));
    };
    let goes_on = topic.is_some() || image.is_none();
    let tail = left.tail().map(ObjectKey::of);
    let looked_at = left.candidates.iter().map(|(key, _)| *key).chain(tail);
    let later: Vec<FoundRange> = looked_at.filter_map(|key| ranges.get(&key).copied()).collect();
    let time = image.map_or(TimestampMs(0), Image::time);
    let (tier, lost, added) = left.settle(objects, &later, (goes_on, time));
    found.lost = lost;
    found.after_state = added;
    let named: BTreeSet<ObjectKey> = tier.named().map(ObjectKey::of).collect();
    let orphans = || own().filter(|(key, _)| !named.contains(key));
    found.start = tier.start().0;
    found.end = tier.end().0;
    found.objects = tier.live().len();
    found.bytes = tier.live().iter().map(TierRange::object_bytes).sum();
    found.deleting = tier.named().count() - tier.live().len();
    found.orphans = orphans().count();
    found.orphan_bytes = orphans().map(|(_, object)| object.bytes).sum();
    Ok((found, tier.named().filter_map(BundleKey::of).collect()))
}

/// The ranges of all objects that are what they should be, and what is wrong with the others.
async fn look_into(
    store: &Store,
    place: &Place,
    objects: &BTreeMap<ObjectKey, FoundObject>,
    deep: bool,
) -> Result<(BTreeMap<ObjectKey, FoundRange>, Vec<String>), RestoreError> {
    let all: Vec<_> = objects.iter().map(|(key, object)| (*key, *object)).collect();
    let looks = stream::iter(all).map(|(key, object)| async move {
        let looked = match read_footer(store, place, key, object).await {
            Ok((range, footer)) => {
                let compared = if deep { compare(store, place, &range, &footer).await } else { Ok(()) };
                compared.map(|()| FoundRange::new(range, &footer, object.uploaded))
            }
            Err(error) => Err(error),
        };
        (key, looked)
    });
    let mut looks = looks.buffer_unordered(if deep { DEEP_MAX } else { OBJECTS_MAX });
    let (mut ranges, mut damaged) = (BTreeMap::new(), Vec::new());
    while let Some((key, looked)) = looks.next().await {
        match looked {
            Ok(range) => {
                ranges.insert(key, range);
            }
            // Deleted since it was listed.
            Err(SurveyError::Store(error)) if error.problem == aquifer_objects::Problem::Missing => {}
            Err(SurveyError::Store(error)) if error.is_passing() => return Err(error.into()),
            Err(error) => damaged.push(error.to_string()),
        }
    }
    damaged.sort_unstable();
    Ok((ranges, damaged))
}

/// Reads all of an object's log bytes and compares each chunk with its checksum.
async fn compare(
    store: &Store,
    place: &Place,
    range: &TierRange,
    footer: &Footer,
) -> Result<(), SurveyError> {
    for number in 0..footer.chunk_crcs.len() {
        check_chunk(store, place, (range, footer), number).await?;
    }
    Ok(())
}
