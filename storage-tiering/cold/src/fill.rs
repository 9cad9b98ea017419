//! `Fill`: a part of an object that is to be had, and how it is had: from local disk or from the store, checked.

use aquifer_manifest::{CHUNK_BYTES, Footer, Place, TierRange};
use aquifer_objects::{ObjectError, Operation, Problem};
use bytes::Bytes;

use crate::chunks::ChunkId;
use crate::cold::Inner;
use crate::footers::ObjectId;
use crate::hedges::hedged;

/// A part of an object that is to be fetched.
pub(crate) struct Fill {
    pub(crate) id: ChunkId,
    pub(crate) key: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// What the bytes must be; a footer says so itself.
    pub(crate) crc: Option<u32>,
    pub(crate) check: Option<TierRange>,
}

impl Fill {
    /// What is wrong with the bytes.
    pub(crate) fn refusal(&self, bytes: &Bytes) -> Option<String> {
        match (self.crc, &self.check) {
            (Some(crc), _) => {
                (crc32c::crc32c(bytes) != crc).then(|| "the checksum does not match".to_owned())
            }
            (None, Some(range)) => Footer::decode(bytes)
                .and_then(|footer| footer.check(range))
                .err()
                .map(|error| error.to_string()),
            (None, None) => None,
        }
    }
}

impl Inner {
    /// The bytes, checked.
    pub(crate) async fn fetch(&self, fill: &Fill) -> Result<Bytes, ObjectError> {
        if let Some(bytes) = self.load(fill).await {
            return Ok(bytes);
        }
        let _slot = self.slots.acquire().await;
        let ask = || self.store.read(&fill.key, fill.from..fill.to);
        // Footers are small and of many sizes: what they take says nothing about chunks.
        let bytes = match fill.id.chunk {
            Some(_) => hedged(&self.runtime, &self.hedges, &self.counters, ask).await?,
            None => ask().await?,
        };
        match fill.refusal(&bytes) {
            None => Ok(bytes),
            Some(message) => Err(ObjectError::new(Operation::Read, &fill.key, Problem::Corrupt, message)),
        }
    }
}

pub(crate) fn object(range: &TierRange) -> ObjectId {
    (range.generation, range.nonce, range.base.0)
}

pub(crate) fn chunk_fill(place: &Place, range: &TierRange, footer: &Footer, chunk: u32) -> Fill {
    let from = u64::from(chunk) * u64::from(CHUNK_BYTES);
    Fill {
        id: ChunkId { object: object(range), chunk: Some(chunk) },
        key: place.key(range),
        from,
        to: (from + u64::from(CHUNK_BYTES)).min(u64::from(range.bytes)),
        crc: footer.chunk_crcs.get(chunk as usize).copied(),
        check: None,
    }
}
