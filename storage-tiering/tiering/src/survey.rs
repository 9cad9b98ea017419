//! A survey of a bucket: which clusters it holds, and what of one of them, by listing names. Reads no data.

use std::collections::BTreeMap;

use aquifer_manifest::{
    BadFooter, BadState, CHUNK_BYTES, Footer, ObjectKey, Place, StateKey, StateKind, StateObject, TierRange,
};
use aquifer_objects::{ObjectError, Problem, Store};
use aquifer_types::{ClusterId, TimestampMs, TopicPartition};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// Lists at a time: a bucket's names are spread over 256 parts.
const LISTS_MAX: usize = 32;
/// Most footers are shorter, so that one read is enough.
const TAIL_BYTES: u64 = 64 << 10;

/// What a bucket holds of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Oldest first.
    pub states: BTreeMap<StateKind, Vec<(StateKey, u64)>>,
    /// By their names, so in the order of their offsets.
    pub objects: BTreeMap<TopicPartition, BTreeMap<ObjectKey, FoundObject>>,
    /// Names that are none of ours, where ours are.
    pub strange: Vec<String>,
}

/// A data object as a list shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundObject {
    pub bytes: u64,
    pub uploaded: TimestampMs,
}

/// An object that is in the bucket, and not what its name says.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    #[error(transparent)]
    Store(#[from] ObjectError),
    #[error("'{name}': {source}")]
    Footer { name: String, source: BadFooter },
    #[error("'{name}': bytes {from} to {to} do not match their checksum")]
    Chunk { name: String, from: u64, to: u64 },
    #[error("'{name}': {source}")]
    State { name: String, source: BadState },
}

/// The clusters that have anything in the bucket.
pub async fn clusters(store: &Store) -> Result<Vec<ClusterId>, ObjectError> {
    let roots = store.roots().await?;
    let mut found: Vec<ClusterId> = roots.iter().filter_map(|root| root.parse().ok()).collect();
    found.sort();
    Ok(found)
}

/// Everything the bucket holds of a cluster.
pub async fn survey(store: &Store, cluster: ClusterId) -> Result<Survey, ObjectError> {
    let mut survey = Survey::default();
    for listed in list(store, &StateKind::all(cluster)).await? {
        match StateKind::parse(&listed.key) {
            Ok((kind, key)) => survey.states.entry(kind).or_default().push((key, listed.bytes)),
            Err(_) => survey.strange.push(format!("{}{}", StateKind::all(cluster), listed.key)),
        }
    }
    survey.states.values_mut().for_each(|keys| keys.sort_unstable());
    let parts = stream::iter(0..=u8::MAX).map(|part| async move {
        let listed = list(store, &Place::spread(cluster, part)).await?;
        Ok::<_, ObjectError>((part, listed))
    });
    let mut parts = parts.buffer_unordered(LISTS_MAX);
    while let Some((part, listed)) = parts.try_next().await? {
        for listed in listed {
            match Place::parse(cluster, part, &listed.key) {
                Ok((place, key)) => {
                    let uploaded = TimestampMs(listed.modified_ms);
                    let found = FoundObject { bytes: listed.bytes, uploaded };
                    survey.objects.entry(place.partition).or_default().insert(key, found);
                }
                Err(_) => survey.strange.push(format!("{}{}", Place::spread(cluster, part), listed.key)),
            }
        }
    }
    Ok(survey)
}

async fn list(store: &Store, prefix: &str) -> Result<Vec<aquifer_objects::Listed>, ObjectError> {
    match store.list(prefix).await {
        Err(error) if error.problem == Problem::Missing => Ok(Vec::new()),
        listed => listed,
    }
}

/// A state object that a survey found.
pub async fn read_state(
    store: &Store,
    cluster: ClusterId,
    kind: StateKind,
    (key, bytes): (StateKey, u64),
) -> Result<StateObject, SurveyError> {
    let name = format!("{}{key}", kind.prefix(cluster));
    let content = store.read(&name, 0..bytes).await?;
    StateObject::decode(&content, cluster, kind, key).map_err(|source| SurveyError::State { name, source })
}

/// The footer of a data object that a survey found, and the range that its bytes are.
pub async fn read_footer(
    store: &Store,
    place: &Place,
    key: ObjectKey,
    found: FoundObject,
) -> Result<(TierRange, Footer), SurveyError> {
    let name = format!("{}{key}", place.prefix());
    let bad = |source| SurveyError::Footer { name: name.clone(), source };
    let mut tail = store.read_small(&name, found.bytes.saturating_sub(TAIL_BYTES)..found.bytes).await?;
    let (footer_bytes, bytes) = Footer::lengths(&tail).map_err(bad)?;
    if u64::from(footer_bytes) + u64::from(bytes) != found.bytes {
        return Err(bad(BadFooter::Foreign));
    }
    if u64::from(footer_bytes) > TAIL_BYTES {
        tail = store.read_small(&name, u64::from(bytes)..found.bytes).await?;
    }
    let footer = Footer::decode(&tail).map_err(bad)?;
    let range = TierRange {
        base: footer.base,
        end: footer.end,
        bytes,
        footer_bytes,
        max_timestamp: footer.max_timestamp,
        leader_epoch: footer.leader_epoch,
        generation: footer.generation,
        nonce: footer.nonce,
    };
    if ObjectKey::of(&range) != key {
        return Err(bad(BadFooter::Foreign));
    }
    footer.check(&range).map_err(bad)?;
    Ok((range, footer))
}

/// Reads a chunk of an object's log bytes and compares it with its checksum.
pub async fn check_chunk(
    store: &Store,
    place: &Place,
    (range, footer): (&TierRange, &Footer),
    number: usize,
) -> Result<(), SurveyError> {
    let name = place.key(range);
    let from = number as u64 * u64::from(CHUNK_BYTES);
    let to = (from + u64::from(CHUNK_BYTES)).min(u64::from(range.bytes));
    let bytes = store.read(&name, from..to).await?;
    if footer.chunk_crcs.get(number) == Some(&crc32c::crc32c(&bytes)) {
        Ok(())
    } else {
        Err(SurveyError::Chunk { name, from, to })
    }
}
