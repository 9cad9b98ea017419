//! `Log`: assigns positions, rolls segments, moves the start. Everything under the replica's lock, nothing that waits.

use std::collections::VecDeque;
use std::sync::Arc;

use aquifer_record::{BatchHeader, ProducerState};
use aquifer_types::{Offset, TimestampMs, TopicPartition};

use super::epochs::EpochCache;
use super::files::SegmentFile;
use super::locate::Cursors;
use super::segment::Segment;
use crate::format::{CleanPartition, CleanSegment, IndexEntry, IndexFile, ProducersFile, SegmentName};

/// When a segment is closed and another begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollPolicy {
    pub segment_bytes: u64,
    /// By our clock, from a segment's first append.
    pub segment_ms: i64,
}

/// Where an appended batch goes.
#[derive(Clone, Debug)]
pub struct Append {
    pub segment: Arc<SegmentFile>,
    pub position: u64,
}

/// What a closed segment leaves to be written: its index, and the producers as they were at its end.
#[derive(Clone, Debug)]
pub struct SealTask {
    pub segment: Arc<SegmentFile>,
    pub index: IndexFile,
    pub producers: ProducersFile,
}

/// One partition's log.
#[derive(Clone, Debug)]
pub struct Log {
    id: TopicPartition,
    log_start: Offset,
    /// Oldest first, the last one taking appends; never empty.
    pub(super) segments: VecDeque<Segment>,
    epochs: EpochCache,
    /// Ends of batches that are not visible yet, with where they end.
    pub(super) ends: VecDeque<End>,
    /// Where the visible part ends.
    pub(super) visible: End,
    /// How often writes failed: those queued before the last failure are void.
    attempt: u32,
    pub(super) cursors: Arc<Cursors>,
}

/// The end of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) offset: Offset,
    pub(super) segment: Offset,
    pub(super) position: u64,
}

impl Log {
    /// A log without records that starts at `start`.
    #[must_use]
    pub fn empty(id: TopicPartition, start: Offset) -> Log {
        Log::from_segments(id, start, VecDeque::from([Segment::empty(id, start)]))
    }

    /// The log that `segments` make up; the last one takes appends.
    #[must_use]
    pub fn from_segments(id: TopicPartition, log_start: Offset, segments: VecDeque<Segment>) -> Log {
        let active = segments.back().expect("a log has a segment");
        assert!(active.index.is_some(), "the last segment takes appends");
        let visible =
            End { offset: active.summary.end, segment: active.summary.base, position: active.summary.bytes };
        let mut epochs = EpochCache::default();
        for (epoch, start) in segments.iter().flat_map(Segment::epochs) {
            epochs.observe(*epoch, *start);
        }
        epochs.start_at(log_start);
        Log {
            id,
            log_start,
            segments,
            epochs,
            ends: VecDeque::new(),
            visible,
            attempt: 0,
            cursors: Arc::default(),
        }
    }

    /// The log as a clean shutdown recorded it.
    #[must_use]
    pub fn from_clean(partition: CleanPartition) -> Log {
        let mut segments = VecDeque::with_capacity(partition.segments.len());
        let last = partition.segments.len().saturating_sub(1);
        for (index, segment) in partition.segments.into_iter().enumerate() {
            let file = SegmentFile::new(partition.id, segment.name);
            segments.push_back(if index == last {
                Segment::active(file, segment.summary, partition.active_index.clone())
            } else {
                Segment::sealed(file, segment.summary)
            });
        }
        Log::from_segments(partition.id, partition.log_start, segments)
    }

    /// What a clean shutdown records.
    #[must_use]
    pub fn to_clean(&self) -> CleanPartition {
        let segments = self
            .segments
            .iter()
            .map(|segment| CleanSegment { name: segment.name(), summary: segment.summary.clone() })
            .collect();
        let active_index = self.active().index.as_deref().cloned().unwrap_or_default();
        CleanPartition { id: self.id, log_start: self.log_start, end: self.end(), segments, active_index }
    }

    #[must_use]
    pub fn id(&self) -> TopicPartition {
        self.id
    }

    #[must_use]
    pub fn log_start(&self) -> Offset {
        self.log_start
    }

    #[must_use]
    pub fn end(&self) -> Offset {
        self.active().summary.end
    }

    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    #[must_use]
    pub fn epochs(&self) -> &EpochCache {
        &self.epochs
    }

    #[must_use]
    pub fn segments(&self) -> &VecDeque<Segment> {
        &self.segments
    }

    /// Bytes in all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.summary.bytes).sum()
    }

    fn active(&self) -> &Segment {
        self.segments.back().expect("a log has a segment")
    }

    /// Whether the next batch begins another segment. An empty segment never rolls.
    #[must_use]
    pub fn should_roll(&self, next: &BatchHeader, now: TimestampMs, policy: &RollPolicy) -> bool {
        let active = self.active();
        let bytes = active.summary.bytes + next.total_bytes() as u64;
        let limit = policy.segment_bytes.min(u64::from(u32::MAX));
        !active.is_empty()
            && (bytes > limit
                || now.0 - active.summary.first_append.0 >= policy.segment_ms
                || !active.spans(next.end_at(self.end())))
    }

    /// Closes the active segment, if it holds anything, and begins another.
    pub fn roll(&mut self, producers: Vec<ProducerState>) -> Option<SealTask> {
        if self.active().is_empty() {
            return None;
        }
        let end = self.end();
        let active = self.active();
        let entries = active.index.as_deref().cloned().unwrap_or_default();
        let task = SealTask {
            segment: active.file.clone(),
            index: IndexFile { summary: active.summary.clone(), entries },
            producers: ProducersFile { end, producers },
        };
        self.segments.push_back(Segment::empty(self.id, end));
        Some(task)
    }

    /// Gives a stamped batch its place. Keeps I3: it starts where the log ends.
    pub fn append(&mut self, header: &BatchHeader, now: TimestampMs) -> Append {
        assert_eq!(header.base_offset, self.end(), "I3: an offset was skipped or given twice");
        let active = self.segments.back_mut().expect("a log has a segment");
        let position = active.push(header, now);
        let end = End { offset: header.end(), segment: active.summary.base, position: active.summary.bytes };
        let segment = active.file.clone();
        self.epochs.observe(header.epoch, header.base_offset);
        self.ends.push_back(end);
        Append { segment, position }
    }

    /// Remembers where the visible part ends, so that a fetch up to it needs no search.
    pub fn show(&mut self, upto: Offset) {
        while let Some(end) = self.ends.pop_front_if(|end| end.offset <= upto) {
            self.visible = end;
        }
    }

    /// A write failed: everything from `from` on is void. Returns the new attempt.
    pub fn rewind(&mut self, from: Offset) -> u32 {
        assert!(from >= self.visible.offset, "I2: a visible record would be taken back");
        self.attempt += 1;
        self.ends.retain(|end| end.offset <= from);
        while self.segments.len() > 1 && self.active().summary.base >= from {
            self.segments.pop_back();
        }
        let known = self.ends.back().copied().filter(|end| end.offset == from).unwrap_or(self.visible);
        let active = self.segments.back_mut().expect("a log has a segment");
        if active.index.is_none() || active.summary.end < from {
            // Sealed and on disk: every write before it succeeded, so nothing of it is void. Or the log started above
            // what is left of it.
            self.segments.push_back(Segment::empty(self.id, from));
        } else if active.summary.end > from {
            let position = if active.summary.base == from { 0 } else { known.position };
            active.cut(from, position);
        }
        self.epochs.end_at(from);
        self.attempt
    }

    /// A closed segment's index is in its file now.
    pub fn sealed(&mut self, name: SegmentName) {
        let last = self.segments.len() - 1;
        if let Some(segment) = self.segments.iter_mut().take(last).find(|segment| segment.name() == name) {
            segment.index = None;
        }
    }

    /// Moves the start up and gives up the segments that lie wholly below it. The caller deletes their files once the
    /// move is durable.
    pub fn start_at(&mut self, log_start: Offset) -> Vec<Segment> {
        if log_start <= self.log_start {
            return Vec::new();
        }
        assert!(log_start <= self.end(), "I1: the log would start after its end");
        self.log_start = log_start;
        self.epochs.start_at(log_start);
        let mut dropped = Vec::new();
        while self.segments.len() > 1 && self.segments[0].summary.end <= log_start {
            dropped.extend(self.segments.pop_front());
        }
        dropped
    }

    /// Gives everything up and goes on at `start`, which lies beyond. The caller deletes the files once that is durable.
    pub fn begin_at(&mut self, start: Offset) -> Vec<Segment> {
        assert!(start >= self.end(), "I3: offsets would be given twice");
        let attempt = self.attempt;
        let before = std::mem::replace(self, Log::empty(self.id, start));
        self.attempt = attempt;
        before.segments.into_iter().filter(|segment| !segment.is_empty()).collect()
    }

    /// The closed segments below `upto` whose indexes are in their files, oldest first.
    pub fn sealed_below(&self, upto: Offset) -> impl Iterator<Item = &Segment> {
        let closed = self.segments.iter().take(self.segments.len() - 1);
        closed.take_while(move |segment| segment.index.is_none() && segment.summary.end <= upto)
    }

    /// Whether the newest closed segment is not sealed yet.
    #[must_use]
    pub fn is_sealing(&self) -> bool {
        self.segments.iter().rev().nth(1).is_some_and(|segment| segment.index.is_some())
    }

    /// Puts `cleaned` in the place of `sources`, oldest first, and returns those of them that the log still had: the start may have
    /// moved beyond some. `None` where it moved beyond all of them, and `cleaned` is of no use. Keeps I3 and I9.
    pub fn replace(&mut self, cleaned: Segment, sources: &[SegmentName]) -> Option<Vec<Segment>> {
        let is_source = |segment: &Segment| sources.binary_search(&segment.name()).is_ok();
        let first = self.segments.iter().position(is_source)?;
        let count = self.segments.range(first..).take_while(|segment| is_source(segment)).count();
        let last = first + count - 1;
        assert_eq!(
            cleaned.summary.end, self.segments[last].summary.end,
            "I9: cleaning moved the end of a segment"
        );
        assert!(last + 1 < self.segments.len(), "the segment that takes appends is never cleaned");
        assert!(
            first == 0 || self.segments[first - 1].summary.end <= cleaned.summary.base,
            "I3: segments overlap"
        );
        let replaced = self.segments.drain(first..=last).collect();
        self.segments.insert(first, cleaned);
        Some(replaced)
    }

    /// The index of the segment that takes appends.
    #[must_use]
    pub fn active_index(&self) -> &[IndexEntry] {
        self.active().index.as_deref().map_or(&[], Vec::as_slice)
    }
}
