//! From an offset or a time to a range of a file: first under the lock from memory, then without it from the disk.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use aquifer_disk::{DiskError, FileHandle};
use aquifer_record::{BatchError, BatchHeader, HEADER_BYTES};
use aquifer_types::{Offset, TimestampMs};

use super::files::{FilePool, IndexError, SegmentFile};
use super::partition_log::Log;
use super::segment::{Segment, relative};
use crate::format::{IndexEntry, SegmentName, floor_by_offset, floor_by_position, floor_by_time};

/// How many readers' next positions a log remembers.
const CURSORS_MAX: usize = 32;

/// Reading failed below the log.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("read segment: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("no batch stands at byte {position} of segment {segment}: {error}")]
    Damaged { segment: Offset, position: u64, error: BatchError },
}

/// Where the readers that come back will go on.
#[derive(Debug, Default)]
pub(super) struct Cursors(Mutex<VecDeque<Cursor>>);

#[derive(Clone, Copy, Debug)]
struct Cursor {
    offset: Offset,
    /// With its generation: a rewritten segment has the same offsets at other positions.
    segment: SegmentName,
    position: u64,
}

/// The segment that holds an offset, and how much of it may be read.
#[derive(Clone, Debug)]
pub struct Located {
    segment: Arc<SegmentFile>,
    base: Offset,
    /// In memory while the segment is not sealed.
    index: Option<Arc<Vec<IndexEntry>>>,
    from: Offset,
    start: Option<u64>,
    limit: Limit,
    cursors: Arc<Cursors>,
}

/// Where reading must stop.
#[derive(Clone, Copy, Debug)]
enum Limit {
    /// A batch ends here, and the next one's offset is known.
    Position { position: u64, next: Offset },
    /// Somewhere before the segment's end: only the offset is known.
    Offset { upto: Offset, position: u64 },
}

/// Whole batches in a file.
#[derive(Clone, Debug)]
pub struct Range {
    pub file: FileHandle,
    pub at: u64,
    pub len: u64,
    /// The offset after the last batch.
    pub next: Offset,
}

/// The segments in which the first record of a time may be.
#[derive(Clone, Debug)]
pub struct TimeLookup {
    segments: Vec<Segment>,
    time: TimestampMs,
    upto: Offset,
}

impl Cursors {
    fn find(&self, offset: Offset) -> Option<Cursor> {
        let held = self.0.lock().expect("remembering does not panic");
        held.iter().rev().find(|cursor| cursor.offset == offset).copied()
    }

    fn remember(&self, cursor: Cursor) {
        let mut held = self.0.lock().expect("remembering does not panic");
        if held.len() == CURSORS_MAX {
            held.pop_front();
        }
        held.push_back(cursor);
    }
}

impl Log {
    /// Where `from` is, for a reader that may see what lies below `upto`. `None` if there is nothing between them.
    #[must_use]
    pub fn locate(&self, from: Offset, upto: Offset) -> Option<Located> {
        if from >= upto || from < self.log_start() {
            return None;
        }
        let after = self.segments.partition_point(|segment| segment.summary.base <= from);
        let mut index = after.checked_sub(1)?;
        while self.segments[index].summary.end <= from || self.segments[index].is_empty() {
            index += 1;
            if index == self.segments.len() || self.segments[index].summary.base >= upto {
                return None;
            }
        }
        let segment = &self.segments[index];
        let summary = &segment.summary;
        let base = summary.base;
        let limit = if upto >= summary.end {
            Limit::Position { position: summary.bytes, next: summary.end }
        } else if self.visible.offset == upto && self.visible.segment == base {
            Limit::Position { position: self.visible.position, next: upto }
        } else {
            Limit::Offset { upto, position: summary.bytes }
        };
        let start = if from <= base {
            Some(0)
        } else {
            self.cursors
                .find(from)
                .filter(|cursor| cursor.segment == segment.name())
                .map(|cursor| cursor.position)
        };
        Some(Located {
            segment: segment.file.clone(),
            base,
            index: segment.index.clone(),
            from,
            start: start.filter(|start| *start < summary.bytes),
            limit,
            cursors: self.cursors.clone(),
        })
    }

    /// Where to look for the first record below `upto` with this timestamp or a later one.
    #[must_use]
    pub fn locate_time(&self, time: TimestampMs, upto: Offset) -> TimeLookup {
        let may_hold = |segment: &&Segment| {
            !segment.is_empty() && segment.summary.max_timestamp >= time && segment.summary.base < upto
        };
        let segments = self.segments.iter().filter(may_hold).cloned().collect();
        TimeLookup { segments, time, upto }
    }

    /// The largest timestamp of any segment that begins below `upto`.
    #[must_use]
    pub fn max_timestamp(&self, upto: Offset) -> Option<TimestampMs> {
        let seen = self.segments.iter().filter(|segment| !segment.is_empty() && segment.summary.base < upto);
        seen.map(|segment| segment.summary.max_timestamp).max()
    }
}

impl Located {
    /// Whether the range of up to `bytes_max` can be named without reading anything.
    #[must_use]
    pub fn is_in_memory(&self, bytes_max: u64) -> bool {
        let Some(start) = self.start else { return false };
        let upto = start.saturating_add(bytes_max);
        let ends = matches!(self.limit, Limit::Position { position, .. } if position <= upto);
        let indexed = |index: &Arc<Vec<IndexEntry>>| {
            floor_by_position(index, upto).is_some_and(|entry| u64::from(entry.position) > start)
        };
        self.segment.handle().is_some() && (ends || self.index.as_ref().is_some_and(indexed))
    }

    /// The range of whole batches from the one that holds the offset, within `bytes_max` but at least one batch.
    /// May wait for the disk.
    pub fn resolve(&self, files: &FilePool, bytes_max: u64) -> Result<Range, ReadError> {
        let file = files.open(&self.segment, false)?;
        let at = match self.start {
            Some(start) => start,
            None => self.find_start(files, &file)?,
        };
        let (end, next) = self.find_end(files, &file, at, bytes_max)?;
        self.cursors.remember(Cursor { offset: next, segment: self.segment.name, position: end });
        Ok(Range { file, at, len: end - at, next })
    }

    fn entries(&self, files: &FilePool) -> Result<Arc<Vec<IndexEntry>>, ReadError> {
        match &self.index {
            Some(entries) => Ok(entries.clone()),
            None => Ok(files.index(&self.segment)?),
        }
    }

    fn find_start(&self, files: &FilePool, file: &FileHandle) -> Result<u64, ReadError> {
        let entries = self.entries(files)?;
        let floor = floor_by_offset(&entries, relative(self.from, self.base));
        let mut position = floor.map_or(0, |entry| u64::from(entry.position));
        let most = self.limit.position();
        while position < most {
            let header = self.header_at(file, position)?;
            if header.end() > self.from {
                return Ok(position);
            }
            position += header.total_bytes() as u64;
        }
        Ok(most)
    }

    fn find_end(
        &self,
        files: &FilePool,
        file: &FileHandle,
        at: u64,
        bytes_max: u64,
    ) -> Result<(u64, Offset), ReadError> {
        if let Limit::Position { position, next } = self.limit
            && position <= at.saturating_add(bytes_max)
        {
            return Ok((position.max(at), next));
        }
        let entries = self.entries(files)?;
        let indexed = floor_by_position(&entries, at.saturating_add(bytes_max)).filter(|entry| {
            let position = u64::from(entry.position);
            position > at && position <= self.limit.position() && self.limit.admits(self.offset_of(entry))
        });
        if let Some(entry) = indexed {
            return Ok((u64::from(entry.position), self.offset_of(entry)));
        }
        // Within one index interval: batch by batch, the first one whatever its size.
        let mut end = (at, self.from);
        while end.0 < self.limit.position() {
            let header = self.header_at(file, end.0)?;
            let after = end.0 + header.total_bytes() as u64;
            if !self.limit.admits(header.end()) || (end.0 > at && after - at > bytes_max) {
                break;
            }
            end = (after, header.end());
        }
        Ok(end)
    }

    fn offset_of(&self, entry: &IndexEntry) -> Offset {
        self.base.plus(i64::from(entry.offset))
    }

    fn header_at(&self, file: &FileHandle, position: u64) -> Result<BatchHeader, ReadError> {
        header_at(self.base, file, position)
    }
}

impl Limit {
    fn position(&self) -> u64 {
        match self {
            Limit::Position { position, .. } | Limit::Offset { position, .. } => *position,
        }
    }

    fn admits(&self, end: Offset) -> bool {
        match self {
            Limit::Position { next, .. } => end <= *next,
            Limit::Offset { upto, .. } => end <= *upto,
        }
    }
}

impl TimeLookup {
    /// The first whole batch that holds offsets from `from` on and may hold the record: its records still have to be
    /// decoded, and if none of them is meant, the search goes on after it. May wait for the disk.
    pub fn resolve(&self, files: &FilePool, from: Offset) -> Result<Option<Range>, ReadError> {
        for segment in &self.segments {
            let file = files.open(&segment.file, false)?;
            let entries = match &segment.index {
                Some(entries) => entries.clone(),
                None => files.index(&segment.file)?,
            };
            let by_time = floor_by_time(&entries, self.time);
            // So that a search past many batches reads none of them again and again.
            let by_offset = floor_by_offset(&entries, relative(from, segment.summary.base));
            let mut position = [by_time, by_offset]
                .into_iter()
                .flatten()
                .map(|entry| u64::from(entry.position))
                .max()
                .unwrap_or(0);
            while position < segment.summary.bytes {
                let header = header_at(segment.summary.base, &file, position)?;
                if header.base_offset >= self.upto {
                    return Ok(None);
                }
                let len = header.total_bytes() as u64;
                // What compaction emptied has a timestamp, but no record that bears it.
                let may_hold = header.count > 0 && header.max_timestamp >= self.time;
                if may_hold && header.end() > from {
                    return Ok(Some(Range { file, at: position, len, next: header.end() }));
                }
                position += len;
            }
        }
        Ok(None)
    }
}

fn header_at(segment: Offset, file: &FileHandle, position: u64) -> Result<BatchHeader, ReadError> {
    let mut bytes = [0; HEADER_BYTES];
    file.read_exact_at(position, &mut bytes)?;
    BatchHeader::parse(&bytes).map_err(|error| ReadError::Damaged { segment, position, error })
}
