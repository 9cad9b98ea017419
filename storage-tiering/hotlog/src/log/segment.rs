//! `Segment`: one file of batches as the log knows it.

use std::sync::Arc;

use aquifer_record::BatchHeader;
use aquifer_types::{BatchEpoch, Offset, TimestampMs, TopicPartition};

use super::files::SegmentFile;
use crate::format::{IndexEntry, SegmentName, SegmentSummary};

/// How many bytes of log one index entry stands for.
pub(crate) const INDEX_EVERY_BYTES: u64 = 16 << 10;

/// One file of batches.
#[derive(Clone, Debug)]
pub struct Segment {
    pub file: Arc<SegmentFile>,
    pub summary: SegmentSummary,
    /// The index while the segment takes appends; a sealed one has it in a file.
    pub index: Option<Arc<Vec<IndexEntry>>>,
    indexed_upto: u64,
}

impl Segment {
    /// An empty segment that starts at `base`.
    #[must_use]
    pub fn empty(id: TopicPartition, base: Offset) -> Segment {
        let name = SegmentName { base, generation: 0 };
        let summary = SegmentSummary {
            base,
            end: base,
            bytes: 0,
            max_timestamp: TimestampMs::NONE,
            first_append: TimestampMs::NONE,
            last_append: TimestampMs::NONE,
            epochs: Vec::new(),
            replaces_from: base,
            clean_upto: base,
        };
        Segment::active(SegmentFile::new(id, name), summary, Vec::new())
    }

    /// A segment that takes appends.
    #[must_use]
    pub fn active(file: Arc<SegmentFile>, summary: SegmentSummary, index: Vec<IndexEntry>) -> Segment {
        let indexed_upto = index.last().map_or(0, |entry| u64::from(entry.position) + INDEX_EVERY_BYTES);
        Segment { file, summary, index: Some(Arc::new(index)), indexed_upto }
    }

    /// A segment that takes no appends any more.
    #[must_use]
    pub fn sealed(file: Arc<SegmentFile>, summary: SegmentSummary) -> Segment {
        Segment { file, summary, index: None, indexed_upto: u64::MAX }
    }

    #[must_use]
    pub fn name(&self) -> SegmentName {
        self.file.name
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.summary.bytes == 0
    }

    /// Adds a stamped batch at the end; returns its position.
    pub fn push(&mut self, header: &BatchHeader, now: TimestampMs) -> u64 {
        let position = self.summary.bytes;
        let summary = &mut self.summary;
        if summary.bytes == 0 {
            summary.first_append = now;
        }
        if header.count > 0 {
            // A batch that compaction emptied has a timestamp, but no record that bears it.
            summary.max_timestamp = summary.max_timestamp.max(header.max_timestamp);
        }
        summary.last_append = summary.last_append.max(now);
        summary.bytes += header.total_bytes() as u64;
        summary.end = header.end();
        if summary.epochs.last().is_none_or(|(epoch, _)| *epoch < header.epoch) {
            summary.epochs.push((header.epoch, header.base_offset));
        }
        if position >= self.indexed_upto
            && let Some(index) = &mut self.index
        {
            let entry = IndexEntry {
                offset: relative(header.base_offset, summary.base),
                position: u32::try_from(position).expect("segments roll below 4 GiB"),
                max_timestamp: summary.max_timestamp,
            };
            Arc::make_mut(index).push(entry);
            self.indexed_upto = position + INDEX_EVERY_BYTES;
        }
        position
    }

    /// Whether offsets up to `end` still fit beside the segment's base in an index entry.
    #[must_use]
    pub fn spans(&self, end: Offset) -> bool {
        end.since(self.summary.base) < i64::from(u32::MAX)
    }

    #[must_use]
    pub fn epochs(&self) -> &[(BatchEpoch, Offset)] {
        &self.summary.epochs
    }
}

/// An offset counted from its segment's base.
pub(crate) fn relative(offset: Offset, base: Offset) -> u32 {
    u32::try_from(offset.since(base).max(0)).unwrap_or(u32::MAX)
}

impl Segment {
    /// Takes back everything from `end` on, which starts at `position`. The largest timestamp stays: it may be too
    /// large, never too small.
    pub(super) fn cut(&mut self, end: Offset, position: u64) {
        self.summary.bytes = position;
        self.summary.end = end;
        self.summary.epochs.retain(|(_, start)| *start < end);
        if let Some(index) = &mut self.index {
            Arc::make_mut(index).retain(|entry| u64::from(entry.position) < position);
            self.indexed_upto = index.last().map_or(0, |entry| u64::from(entry.position) + INDEX_EVERY_BYTES);
        }
    }
}
