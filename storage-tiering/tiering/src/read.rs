//! Reading what a survey found, and copying it: footers, chunks, states, what bundles say of their ranges.

use aquifer_manifest::{
    BadBundle, BadFooter, BadState, BundleIndex, BundleKey, CHUNK_BYTES, Footer, ObjectKey, Place, StateKey,
    StateKind, StateObject, TierRange,
};
use aquifer_objects::{Listed, ObjectError, Store};
use aquifer_types::{ClusterId, TimestampMs};

/// Most footers are shorter, so that one read is enough.
const TAIL_BYTES: u64 = 64 << 10;

/// A data object, as a list shows it or a bundle holds it; or a whole bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundObject {
    pub bytes: u64,
    pub uploaded: TimestampMs,
    /// Where it begins in its bundle; 0 of an object of its own.
    pub position: u32,
}

impl FoundObject {
    pub(crate) fn of(listed: &Listed) -> FoundObject {
        let uploaded = TimestampMs(listed.modified_ms);
        FoundObject { bytes: listed.bytes, uploaded, position: 0 }
    }

    /// What the range must be, whenever it was uploaded.
    #[must_use]
    pub fn named(range: &TierRange) -> FoundObject {
        let (bytes, position) = (range.object_bytes(), range.position);
        FoundObject { bytes, uploaded: TimestampMs::NONE, position }
    }
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
    #[error("'{name}': {source}")]
    Bundle { name: String, source: BadBundle },
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
    let name = match found.position {
        0 => place.name(&key),
        _ => BundleKey::drawn(key.generation, key.nonce).name(place.cluster),
    };
    let bad = |source| SurveyError::Footer { name: name.clone(), source };
    let begins = u64::from(found.position);
    let ends = begins + found.bytes;
    let mut tail = store.read_small(&name, ends - found.bytes.min(TAIL_BYTES)..ends).await?;
    let (footer_bytes, bytes) = Footer::lengths(&tail).map_err(bad)?;
    if u64::from(footer_bytes) + u64::from(bytes) != found.bytes {
        return Err(bad(BadFooter::Foreign));
    }
    if u64::from(footer_bytes) > TAIL_BYTES {
        tail = store.read_small(&name, begins + u64::from(bytes)..ends).await?;
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
        position: found.position,
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
    let bytes = store.read(&name, range.begins() + from..range.begins() + to).await?;
    if footer.chunk_crcs.get(number) == Some(&crc32c::crc32c(&bytes)) {
        Ok(())
    } else {
        Err(SurveyError::Chunk { name, from, to })
    }
}

/// What a bundle says of its ranges.
pub async fn read_bundle(
    store: &Store,
    cluster: ClusterId,
    key: BundleKey,
    found: FoundObject,
) -> Result<BundleIndex, SurveyError> {
    let name = key.name(cluster);
    let bad = |source| SurveyError::Bundle { name: name.clone(), source };
    let mut tail = store.read_small(&name, found.bytes - found.bytes.min(TAIL_BYTES)..found.bytes).await?;
    let length = u64::from(BundleIndex::length(&tail).map_err(bad)?);
    if length > tail.len() as u64 && length <= found.bytes {
        tail = store.read_small(&name, found.bytes - length..found.bytes).await?;
    }
    BundleIndex::decode(&tail, cluster, key, found.bytes).map_err(bad)
}

/// Has a range where another partition looks for it, as an object of its own that nobody else names.
pub async fn copy_range(
    store: &Store,
    from: &Place,
    to: &Place,
    range: &TierRange,
) -> Result<(), ObjectError> {
    let (source, target) = (from.key(range), to.key(&range.by_itself()));
    if BundleKey::of(range).is_none() {
        return store.copy(&source, &target).await;
    }
    let bytes = store.read(&source, range.begins()..range.begins() + range.object_bytes()).await?;
    store.create(&target, &[bytes]).await
}
