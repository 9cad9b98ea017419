//! Repacking: a range of the bucket as it is uploaded again, under another name.

use aquifer_manifest::{Footer, ObjectKey, Place, TierRange};
use aquifer_objects::Store;
use aquifer_types::LeaderEpoch;

use crate::pack::{Packed, chunk_crcs};
use crate::read::{FoundObject, SurveyError, read_footer};

/// By whom a range is uploaded again, and as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renamed {
    pub incarnation: u64,
    pub leader_epoch: LeaderEpoch,
    pub generation: u64,
    pub nonce: u64,
}

/// Reads the range and checks all of it.
pub async fn repack(
    store: &Store,
    place: &Place,
    range: &TierRange,
    renamed: Renamed,
) -> Result<Packed, SurveyError> {
    let (_, footer) = read_footer(store, place, ObjectKey::of(range), FoundObject::named(range)).await?;
    let name = place.key(range);
    let (from, to) = (range.begins(), range.begins() + u64::from(range.bytes));
    let log = [store.read(&name, from..to).await?];
    if chunk_crcs(&log) != footer.chunk_crcs {
        return Err(SurveyError::Chunk { name, from, to });
    }
    let Renamed { incarnation, leader_epoch, generation, nonce } = renamed;
    let footer =
        Footer { incarnation, leader_epoch, generation, nonce, previous: None, is_rewrite: true, ..footer };
    Ok(Packed::of(&footer, log.into()))
}
