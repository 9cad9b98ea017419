//! `Filter`: what stays of one batch. Keeps I9.

use std::collections::BTreeMap;

use aquifer_record::{BatchBuilder, BatchHeader, BatchView, BuildError, Encoding, Record, decode};
use aquifer_types::{Offset, ProducerId, TimestampMs};

use super::offset_map::{Digest, OffsetMap};

/// A batch may unpack to this much and no more, which is what a compacted topic takes.
const UNPACKED_BYTES_MAX: usize = 256 << 20;

/// Decides batch by batch, in any order, against the latest offsets of keys.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a> {
    pub latest: &'a OffsetMap,
    /// Where the part of the log ends whose keys `latest` knows.
    pub known_upto: Offset,
    /// Where the offsets end that the cleaned segment stands for.
    pub span_end: Offset,
    pub now: TimestampMs,
    pub tombstone_retention_ms: i64,
    /// Whether no tombstone goes, however old.
    pub keeps_tombstones: bool,
    /// Where the last batch of every known producer ends.
    pub last_batches: &'a BTreeMap<ProducerId, Offset>,
}

/// What stays of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All of it, byte for byte.
    Whole,
    /// Some of it, or all of it under a delete horizon.
    Rewritten(Vec<u8>),
    Nothing,
}

/// What filtering came across.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub records_removed: u64,
    /// Batches whose records cannot be read: they are kept as they are.
    pub undecodable: u64,
}

impl Filter<'_> {
    pub fn judge(&self, batch: &BatchView<'_>, unpacked: &mut Vec<u8>, tally: &mut Tally) -> Kept {
        let header = &batch.header;
        if header.base_offset >= self.known_upto || header.attributes.is_control() {
            return Kept::Whole;
        }
        let Some(records) = records(batch, unpacked) else {
            tally.undecodable += 1;
            return Kept::Whole;
        };
        let kept: Vec<&Record<'_>> = records.iter().filter(|record| self.stays(batch, record)).collect();
        if kept.is_empty() && !self.must_stay(batch) {
            tally.records_removed += records.len() as u64;
            return Kept::Nothing;
        }
        let has_tombstones = kept.iter().any(|record| is_tombstone(record));
        let needs_horizon = has_tombstones && !header.attributes.has_delete_horizon();
        if kept.len() == records.len() && !needs_horizon {
            return Kept::Whole;
        }
        match self.rewrite(batch, &kept, needs_horizon) {
            Ok(bytes) => {
                tally.records_removed += (records.len() - kept.len()) as u64;
                Kept::Rewritten(bytes)
            }
            // Records that were read but cannot be written again, as timestamps far from the horizon.
            Err(_unwritable) => {
                tally.undecodable += 1;
                Kept::Whole
            }
        }
    }

    fn stays(&self, batch: &BatchView<'_>, record: &Record<'_>) -> bool {
        let Some(key) = record.key else { return true };
        if self.latest.latest(key).is_some_and(|latest| latest > record.offset) {
            return false;
        }
        let horizon = batch.header.attributes.has_delete_horizon().then_some(batch.header.base_timestamp);
        // A cleaning before this one met the tombstone and removed what it stands against.
        let may_go = horizon.is_some_and(|horizon| horizon <= self.now);
        !(is_tombstone(record) && may_go && !self.keeps_tombstones)
    }

    /// Without the batch that ends it, a segment would forget how far offsets were given; without a producer's last
    /// batch, recovery would forget the producer's sequence.
    fn must_stay(&self, batch: &BatchView<'_>) -> bool {
        let header = &batch.header;
        let last_of_producer = || self.last_batches.get(&header.producer_id) == Some(&header.end());
        header.end() == self.span_end || (header.has_producer() && last_of_producer())
    }

    fn rewrite(
        &self,
        batch: &BatchView<'_>,
        kept: &[&Record<'_>],
        needs_horizon: bool,
    ) -> Result<Vec<u8>, BuildError> {
        let compression = batch.header.attributes.compression().unwrap_or_default();
        let mut builder = BatchBuilder::rewrite(&batch.header, Encoding::from(compression));
        if needs_horizon {
            let horizon = self.now.0.saturating_add(self.tombstone_retention_ms);
            builder.delete_horizon(TimestampMs(horizon));
        }
        kept.iter().try_for_each(|record| builder.keep(record))?;
        let bytes = builder.build()?;
        let rewritten = BatchHeader::parse(&bytes).expect("just built");
        let place = |header: &BatchHeader| (header.base_offset, header.end(), header.epoch);
        assert_eq!(place(&rewritten), place(&batch.header), "I9: compaction moved an offset");
        Ok(bytes)
    }
}

/// The digests of a batch's keys; `None` where its records cannot all be read, or are not ours to remove.
pub(super) fn keys(
    batch: &BatchView<'_>,
    map: &OffsetMap,
    unpacked: &mut Vec<u8>,
) -> Option<Vec<(Digest, Offset)>> {
    if batch.header.attributes.is_control() {
        return None;
    }
    let records = records(batch, unpacked)?;
    Some(records.iter().filter_map(|record| Some((map.digest(record.key?), record.offset))).collect())
}

/// All records of a batch, or none where one of them cannot be read.
fn records<'a>(batch: &BatchView<'a>, unpacked: &'a mut Vec<u8>) -> Option<Vec<Record<'a>>> {
    decode(&batch.header, batch.body(), UNPACKED_BYTES_MAX, unpacked).ok()?.collect::<Result<_, _>>().ok()
}

fn is_tombstone(record: &Record<'_>) -> bool {
    record.key.is_some() && record.value.is_none()
}
