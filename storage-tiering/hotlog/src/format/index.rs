//! `.idx`: where the batches of a sealed segment start, by offset and time, and what the segment is.

use aquifer_types::{BatchEpoch, Offset, TimestampMs};
use bytes::{Buf, BufMut};

use super::checked::{self, FormatError};

const MAGIC: [u8; 4] = *b"AQIX";
const VERSION: u32 = 1;
const ENTRY_BYTES: usize = 16;
const EPOCH_BYTES: usize = 12;

/// A batch's start, one per 16 KiB of log: all batches before it have timestamps up to `max_timestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// The batch's base offset, counted from the segment's.
    pub offset: u32,
    pub position: u32,
    /// The largest timestamp of the batches up to and including this one.
    pub max_timestamp: TimestampMs,
}

/// What must be known of a sealed segment without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentSummary {
    pub base: Offset,
    pub end: Offset,
    pub bytes: u64,
    /// The largest timestamp of any record.
    pub max_timestamp: TimestampMs,
    /// Our own clock when the first batch was appended: segments roll and compaction falls due by age.
    pub first_append: TimestampMs,
    /// Our own clock when the last batch was appended: what retention trusts where records' timestamps lie ahead.
    pub last_append: TimestampMs,
    /// Where epochs begin inside the segment.
    pub epochs: Vec<(BatchEpoch, Offset)>,
    /// Compaction put this segment in the place of all lower generations that start in `[replaces_from, end)`.
    pub replaces_from: Offset,
    /// Records below were held against every later one up to here; the segment's base if compaction has not come by.
    pub clean_upto: Offset,
}

/// A whole index file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexFile {
    pub summary: SegmentSummary,
    pub entries: Vec<IndexEntry>,
}

impl IndexFile {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let summary = &self.summary;
        let mut body = Vec::with_capacity(64 + self.entries.len() * ENTRY_BYTES);
        for number in [summary.base.0, summary.end.0, summary.bytes.cast_signed()] {
            body.put_i64_le(number);
        }
        put_fixed(&mut body, summary);
        body.put_u32_le(u32::try_from(summary.epochs.len()).expect("fewer epochs than batches"));
        for (epoch, start) in &summary.epochs {
            body.put_i32_le(epoch.0);
            body.put_i64_le(start.0);
        }
        body.put_u32_le(u32::try_from(self.entries.len()).expect("positions are 32 bits"));
        for entry in &self.entries {
            body.put_u32_le(entry.offset);
            body.put_u32_le(entry.position);
            body.put_i64_le(entry.max_timestamp.0);
        }
        checked::frame(MAGIC, VERSION, &body)
    }

    pub fn decode(bytes: &[u8]) -> Result<IndexFile, FormatError> {
        let mut rest = checked::body(MAGIC, VERSION, bytes)?;
        let base = Offset(rest.try_get_i64_le()?);
        let end = Offset(rest.try_get_i64_le()?);
        let bytes = rest.try_get_i64_le()?.cast_unsigned();
        let fixed = get_fixed(&mut rest)?;
        let count = checked::count(&mut rest, EPOCH_BYTES)?;
        let mut epochs = Vec::with_capacity(count);
        for _ in 0..count {
            epochs.push((BatchEpoch(rest.try_get_i32_le()?), Offset(rest.try_get_i64_le()?)));
        }
        let count = checked::count(&mut rest, ENTRY_BYTES)?;
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            entries.push(IndexEntry {
                offset: rest.try_get_u32_le()?,
                position: rest.try_get_u32_le()?,
                max_timestamp: TimestampMs(rest.try_get_i64_le()?),
            });
        }
        checked::ends(rest)?;
        let summary = SegmentSummary { base, end, bytes, epochs, ..fixed };
        Ok(IndexFile { summary, entries })
    }
}

/// The times and offsets of a summary that are written alike wherever it stands.
pub(super) fn put_fixed(body: &mut Vec<u8>, summary: &SegmentSummary) {
    for time in [summary.max_timestamp, summary.first_append, summary.last_append] {
        body.put_i64_le(time.0);
    }
    body.put_i64_le(summary.replaces_from.0);
    body.put_i64_le(summary.clean_upto.0);
}

/// A summary of which only these are known yet.
pub(super) fn get_fixed(rest: &mut &[u8]) -> Result<SegmentSummary, FormatError> {
    Ok(SegmentSummary {
        base: Offset::ZERO,
        end: Offset::ZERO,
        bytes: 0,
        max_timestamp: TimestampMs(rest.try_get_i64_le()?),
        first_append: TimestampMs(rest.try_get_i64_le()?),
        last_append: TimestampMs(rest.try_get_i64_le()?),
        epochs: Vec::new(),
        replaces_from: Offset(rest.try_get_i64_le()?),
        clean_upto: Offset(rest.try_get_i64_le()?),
    })
}

/// The last entry at or before a relative offset.
#[must_use]
pub fn floor_by_offset(entries: &[IndexEntry], offset: u32) -> Option<&IndexEntry> {
    entries[..entries.partition_point(|entry| entry.offset <= offset)].last()
}

/// The last entry at or before a position.
#[must_use]
pub fn floor_by_position(entries: &[IndexEntry], position: u64) -> Option<&IndexEntry> {
    entries[..entries.partition_point(|entry| u64::from(entry.position) <= position)].last()
}

/// The last entry that no batch with this timestamp or a later one precedes.
#[must_use]
pub fn floor_by_time(entries: &[IndexEntry], time: TimestampMs) -> Option<&IndexEntry> {
    // The entry's timestamp includes its own batch, so the first that reaches `time` may hold it, or a batch between
    // the one before and it.
    let reaches = entries.partition_point(|entry| entry.max_timestamp < time);
    entries[..reaches].last()
}
