//! `OneShot`: what an Idempotency-Key stands for in the log.

use aquifer_types::{PartitionIndex, ProducerId, TopicId};
use ring::digest::{Context, SHA256};

/// Set in no producer id that a cluster hands out, all of which are below 2^53.
const DERIVED: u64 = 1 << 62;

/// A producer that exists for one request: whoever brings the same key is the same producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneShot {
    pub id: ProducerId,
    placement: u64,
}

impl OneShot {
    /// The producer of a principal's key in a topic.
    #[must_use]
    pub fn of(principal: &str, topic: TopicId, key: &str) -> OneShot {
        let mut context = Context::new(&SHA256);
        for part in [principal.as_bytes(), topic.0.as_bytes(), key.as_bytes()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let hash = context.finish();
        let number = |at: usize| {
            let bytes = hash.as_ref()[at..].first_chunk().copied().unwrap_or_default();
            u64::from_be_bytes(bytes)
        };
        let id = DERIVED | (number(0) & (DERIVED - 1));
        OneShot { id: ProducerId(id.cast_signed()), placement: number(8) }
    }

    /// Where records without a key go, so that a retry finds the partition of the first try; `None` of none.
    #[must_use]
    pub fn partition(&self, partitions: u32) -> Option<PartitionIndex> {
        let index = self.placement.checked_rem(u64::from(partitions))?;
        i32::try_from(index).ok().map(PartitionIndex)
    }
}
