//! `Fill`: a part of an object that is to be had, and how it is had: from local disk or from the store, checked.

use std::time::Duration;

use aquifer_manifest::{CHUNK_BYTES, Footer, Place, TierRange};
use aquifer_objects::{ObjectError, Operation, Problem};
use bytes::Bytes;

use crate::chunks::ChunkId;
use crate::cold::Inner;
use crate::footers::ObjectId;
use crate::hedges::hedged;

/// The longest answer that is waited for. Clients of servers give up sooner; a folder may hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

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
    pub(crate) fn bytes(&self) -> u64 {
        self.to - self.from
    }

    /// What is wrong with the bytes.
    pub(crate) fn refusal(&self, bytes: &Bytes) -> Option<String> {
        self.refusal_of(bytes, || crc32c::crc32c(bytes))
    }

    /// What is wrong with bytes of that checksum.
    fn refusal_of(&self, bytes: &Bytes, crc: impl FnOnce() -> u32) -> Option<String> {
        match (self.crc, &self.check) {
            (Some(wanted), _) => (crc() != wanted).then(|| "the checksum does not match".to_owned()),
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
        let asked = self.runtime.timeout(PATIENCE, self.ask(fill)).await;
        let (bytes, refusal) = asked.unwrap_or_else(|| {
            let message = format!("nothing came for {PATIENCE:?}");
            Err(ObjectError::new(Operation::Read, &fill.key, Problem::Unavailable, message))
        })?;
        match refusal {
            None => Ok(bytes),
            Some(message) => Err(ObjectError::new(Operation::Read, &fill.key, Problem::Corrupt, message)),
        }
    }

    /// The bytes from the store, and what is wrong with them.
    async fn ask(&self, fill: &Fill) -> Result<(Bytes, Option<String>), ObjectError> {
        let span = || fill.from..fill.to;
        // Footers are small and of many sizes: what they take says nothing about chunks.
        Ok(match fill.id.chunk {
            Some(_) => {
                let ask = || self.store.read_checksummed(&fill.key, span());
                let (bytes, crc) = hedged(&self.runtime, &self.hedges, &self.counters, ask).await?;
                let refusal = fill.refusal_of(&bytes, || crc);
                (bytes, refusal)
            }
            None => {
                let _one_of_few = self.small.acquire().await;
                let bytes = self.store.read_small(&fill.key, span()).await?;
                let refusal = fill.refusal(&bytes);
                (bytes, refusal)
            }
        })
    }
}

pub(crate) fn object(range: &TierRange) -> ObjectId {
    (range.generation, range.nonce, range.base.0, range.position)
}

pub(crate) fn footer_fill(place: &Place, range: &TierRange) -> Fill {
    Fill {
        id: ChunkId { object: object(range), chunk: None },
        key: place.key(range),
        from: range.begins() + u64::from(range.bytes),
        to: range.begins() + range.object_bytes(),
        crc: None,
        check: Some(*range),
    }
}

pub(crate) fn chunk_fill(place: &Place, range: &TierRange, footer: &Footer, chunk: u32) -> Fill {
    let from = u64::from(chunk) * u64::from(CHUNK_BYTES);
    Fill {
        id: ChunkId { object: object(range), chunk: Some(chunk) },
        key: place.key(range),
        from: range.begins() + from,
        to: range.begins() + (from + u64::from(CHUNK_BYTES)).min(u64::from(range.bytes)),
        crc: footer.chunk_crcs.get(chunk as usize).copied(),
        check: None,
    }
}
