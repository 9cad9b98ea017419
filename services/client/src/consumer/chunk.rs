//! `Chunk`: what one fetch brought of one partition, still as it came off the wire.

use std::sync::Arc;

use aquifer_record::{Batches, batches};
use aquifer_types::{LeaderEpoch, Offset, PartitionIndex, ProducerId};
use aquifer_wire::Text;
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

/// Whole batches of one partition. It holds part of the consumer's buffer until it is dropped.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub topic: Text,
    pub partition: PartitionIndex,
    /// The first offset that is wanted; the first batch may begin before it.
    pub from: Offset,
    /// Where the partition is read next.
    pub end: Offset,
    pub high_watermark: Offset,
    /// Of the last batch, as commits tell it.
    pub(crate) last_epoch: Option<LeaderEpoch>,
    pub(crate) records: Bytes,
    /// Transactions whose records do not count, by producer and first offset; in the order of those.
    pub(crate) aborted: Vec<(ProducerId, Offset)>,
    /// Which seek it answers.
    pub(crate) version: u64,
    pub(crate) _held: Arc<OwnedSemaphorePermit>,
}

impl Chunk {
    /// The batches as they are stored, those of control records included.
    #[must_use]
    pub fn batches(&self) -> Batches<'_> {
        batches(&self.records)
    }

    /// How many bytes of batches it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.records.len()
    }
}
