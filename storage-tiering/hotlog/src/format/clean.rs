//! `clean`: everything a start needs to know, written last at shutdown and removed before the first append.

use aquifer_types::{BatchEpoch, BrokerEpoch, Offset, TimestampMs, TopicPartition};
use bytes::{Buf, BufMut};

use super::checked::{self, FormatError};
use super::index::{IndexEntry, SegmentSummary, get_fixed, put_fixed};
use super::layout::SegmentName;
use super::marks::{get_id, get_segment, put_id, put_segment};

const MAGIC: [u8; 4] = *b"AQCL";
const VERSION: u32 = 1;
const PARTITION_BYTES: usize = 40;
const SEGMENT_BYTES: usize = 72;

/// The state of a whole data directory at a clean shutdown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanFile {
    /// The broker epoch of the run that shut down cleanly.
    pub broker_epoch: BrokerEpoch,
    pub partitions: Vec<CleanPartition>,
}

/// One partition's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanPartition {
    pub id: TopicPartition,
    pub log_start: Offset,
    pub end: Offset,
    /// Oldest first; the last one takes appends.
    pub segments: Vec<CleanSegment>,
    /// The index of the last segment, which has no file yet.
    pub active_index: Vec<IndexEntry>,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanSegment {
    pub name: SegmentName,
    pub summary: SegmentSummary,
}

impl CleanFile {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.put_i64_le(self.broker_epoch.0);
        put_count(&mut body, self.partitions.len());
        for partition in &self.partitions {
            put_id(&mut body, partition.id);
            body.put_i64_le(partition.log_start.0);
            body.put_i64_le(partition.end.0);
            put_count(&mut body, partition.segments.len());
            for segment in &partition.segments {
                put_clean_segment(&mut body, segment);
            }
            put_count(&mut body, partition.active_index.len());
            for entry in &partition.active_index {
                body.put_u32_le(entry.offset);
                body.put_u32_le(entry.position);
                body.put_i64_le(entry.max_timestamp.0);
            }
        }
        checked::frame(MAGIC, VERSION, &body)
    }

    pub fn decode(bytes: &[u8]) -> Result<CleanFile, FormatError> {
        let mut rest = checked::body(MAGIC, VERSION, bytes)?;
        let broker_epoch = BrokerEpoch(rest.try_get_i64_le()?);
        let count = checked::count(&mut rest, PARTITION_BYTES)?;
        let mut partitions = Vec::with_capacity(count);
        for _ in 0..count {
            partitions.push(clean_partition(&mut rest)?);
        }
        checked::ends(rest)?;
        Ok(CleanFile { broker_epoch, partitions })
    }
}

fn put_count(body: &mut Vec<u8>, count: usize) {
    body.put_u32_le(u32::try_from(count).expect("a node holds far fewer than 2^32 of anything"));
}

fn put_clean_segment(body: &mut Vec<u8>, segment: &CleanSegment) {
    let summary = &segment.summary;
    put_segment(body, segment.name);
    body.put_i64_le(summary.end.0);
    body.put_u64_le(summary.bytes);
    put_fixed(body, summary);
    put_count(body, summary.epochs.len());
    for (epoch, start) in &summary.epochs {
        body.put_i32_le(epoch.0);
        body.put_i64_le(start.0);
    }
}

fn clean_partition(rest: &mut &[u8]) -> Result<CleanPartition, FormatError> {
    let id = get_id(rest)?;
    let log_start = Offset(rest.try_get_i64_le()?);
    let end = Offset(rest.try_get_i64_le()?);
    let count = checked::count(rest, SEGMENT_BYTES)?;
    let mut segments = Vec::with_capacity(count);
    for _ in 0..count {
        segments.push(clean_segment(rest)?);
    }
    let count = checked::count(rest, 16)?;
    let mut active_index = Vec::with_capacity(count);
    for _ in 0..count {
        active_index.push(IndexEntry {
            offset: rest.try_get_u32_le()?,
            position: rest.try_get_u32_le()?,
            max_timestamp: TimestampMs(rest.try_get_i64_le()?),
        });
    }
    Ok(CleanPartition { id, log_start, end, segments, active_index })
}

fn clean_segment(rest: &mut &[u8]) -> Result<CleanSegment, FormatError> {
    let name = get_segment(rest)?;
    let end = Offset(rest.try_get_i64_le()?);
    let bytes = rest.try_get_u64_le()?;
    let fixed = get_fixed(rest)?;
    let count = checked::count(rest, 12)?;
    let mut epochs = Vec::with_capacity(count);
    for _ in 0..count {
        epochs.push((BatchEpoch(rest.try_get_i32_le()?), Offset(rest.try_get_i64_le()?)));
    }
    let summary = SegmentSummary { base: name.base, end, bytes, epochs, ..fixed };
    Ok(CleanSegment { name, summary })
}
