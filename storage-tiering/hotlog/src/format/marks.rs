//! `marks` and the WAL's records: how far a partition is durable, and what was decided about it.

use aquifer_types::{BatchEpoch, Offset, PartitionIndex, TopicId, TopicPartition};
use bytes::{Buf, BufMut};

use super::checked::{self, FormatError};
use super::layout::SegmentName;
use super::meta::uuid;

const MAGIC: [u8; 4] = *b"AQMA";
const VERSION: u32 = 1;
const PARTITION_MARK_BYTES: usize = 20 + 8 + MARK_BYTES;
const MARK_BYTES: usize = 28;

/// Up to where a partition's segments are durable by themselves: below `position` of `segment`, and all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub segment: SegmentName,
    pub position: u64,
    pub end: Offset,
}

/// What recovery must know of a partition when the WAL no longer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionMark {
    pub id: TopicPartition,
    pub log_start: Offset,
    pub mark: Mark,
}

/// Every partition's mark, saved before the WAL files that also hold them are used again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MarksFile {
    pub partitions: Vec<PartitionMark>,
}

/// One record of the shared WAL. Its kind stands in the WAL's own record header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalEntry<'a> {
    /// Bytes of a segment: a batch, or the last part of one. `is_part` where more parts follow.
    Data {
        id: TopicPartition,
        epoch: BatchEpoch,
        base: Offset,
        segment: SegmentName,
        position: u64,
        is_part: bool,
        bytes: &'a [u8],
    },
    /// The segments are durable up to here by themselves.
    Synced { id: TopicPartition, mark: Mark },
    /// Records below were deleted.
    Start { id: TopicPartition, log_start: Offset },
    /// The partition was deleted.
    Drop { id: TopicPartition },
}

impl WalEntry<'_> {
    pub const DATA: u8 = 1;
    pub const SYNCED: u8 = 2;
    pub const START: u8 = 3;
    pub const DROP: u8 = 4;
    pub const DATA_PART: u8 = 5;
    /// A `Data` record's fields before its bytes.
    pub const DATA_FIELDS: usize = 20 + 4 + 8 + 12 + 8;

    /// The record's kind and its fields; the bytes of `Data` follow them.
    #[must_use]
    pub fn encode_fields(&self) -> (u8, Vec<u8>) {
        let mut fields = Vec::with_capacity(WalEntry::DATA_FIELDS);
        let kind = match self {
            WalEntry::Data { id, epoch, base, segment, position, is_part, .. } => {
                put_id(&mut fields, *id);
                fields.put_i32_le(epoch.0);
                fields.put_i64_le(base.0);
                put_segment(&mut fields, *segment);
                fields.put_u64_le(*position);
                if *is_part { WalEntry::DATA_PART } else { WalEntry::DATA }
            }
            WalEntry::Synced { id, mark } => {
                put_id(&mut fields, *id);
                put_mark(&mut fields, mark);
                WalEntry::SYNCED
            }
            WalEntry::Start { id, log_start } => {
                put_id(&mut fields, *id);
                fields.put_i64_le(log_start.0);
                WalEntry::START
            }
            WalEntry::Drop { id } => {
                put_id(&mut fields, *id);
                WalEntry::DROP
            }
        };
        (kind, fields)
    }

    /// The record of this kind and payload.
    pub fn decode(kind: u8, mut payload: &[u8]) -> Result<WalEntry<'_>, FormatError> {
        let id = get_id(&mut payload)?;
        let entry = match kind {
            WalEntry::DATA | WalEntry::DATA_PART => {
                let is_part = kind == WalEntry::DATA_PART;
                let epoch = BatchEpoch(payload.try_get_i32_le()?);
                let base = Offset(payload.try_get_i64_le()?);
                let segment = get_segment(&mut payload)?;
                let position = payload.try_get_u64_le()?;
                return Ok(WalEntry::Data { id, epoch, base, segment, position, is_part, bytes: payload });
            }
            WalEntry::SYNCED => WalEntry::Synced { id, mark: get_mark(&mut payload)? },
            WalEntry::START => WalEntry::Start { id, log_start: Offset(payload.try_get_i64_le()?) },
            WalEntry::DROP => WalEntry::Drop { id },
            other => return Err(FormatError::Version(u32::from(other))),
        };
        checked::ends(payload)?;
        Ok(entry)
    }
}

impl MarksFile {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(4 + self.partitions.len() * PARTITION_MARK_BYTES);
        body.put_u32_le(u32::try_from(self.partitions.len()).expect("a node has far fewer partitions"));
        for partition in &self.partitions {
            put_id(&mut body, partition.id);
            body.put_i64_le(partition.log_start.0);
            put_mark(&mut body, &partition.mark);
        }
        checked::frame(MAGIC, VERSION, &body)
    }

    pub fn decode(bytes: &[u8]) -> Result<MarksFile, FormatError> {
        let mut rest = checked::body(MAGIC, VERSION, bytes)?;
        let count = checked::count(&mut rest, PARTITION_MARK_BYTES)?;
        let mut partitions = Vec::with_capacity(count);
        for _ in 0..count {
            partitions.push(PartitionMark {
                id: get_id(&mut rest)?,
                log_start: Offset(rest.try_get_i64_le()?),
                mark: get_mark(&mut rest)?,
            });
        }
        checked::ends(rest)?;
        Ok(MarksFile { partitions })
    }
}

pub(super) fn put_id(body: &mut Vec<u8>, id: TopicPartition) {
    body.put_slice(id.topic.0.as_bytes());
    body.put_i32_le(id.partition.0);
}

pub(super) fn get_id(rest: &mut &[u8]) -> Result<TopicPartition, FormatError> {
    Ok(TopicPartition { topic: TopicId(uuid(rest)?), partition: PartitionIndex(rest.try_get_i32_le()?) })
}

pub(super) fn put_segment(body: &mut Vec<u8>, segment: SegmentName) {
    body.put_i64_le(segment.base.0);
    body.put_u32_le(segment.generation);
}

pub(super) fn get_segment(rest: &mut &[u8]) -> Result<SegmentName, FormatError> {
    Ok(SegmentName { base: Offset(rest.try_get_i64_le()?), generation: rest.try_get_u32_le()? })
}

fn put_mark(body: &mut Vec<u8>, mark: &Mark) {
    put_segment(body, mark.segment);
    body.put_u64_le(mark.position);
    body.put_i64_le(mark.end.0);
}

fn get_mark(rest: &mut &[u8]) -> Result<Mark, FormatError> {
    Ok(Mark {
        segment: get_segment(rest)?,
        position: rest.try_get_u64_le()?,
        end: Offset(rest.try_get_i64_le()?),
    })
}
