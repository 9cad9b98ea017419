//! Putting back into segments what only the write-ahead log made durable.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::IoSlice;
use std::ops::Range;

use aquifer_disk::{Disk, DiskError, FileHandle, OpenMode};
use aquifer_types::{Offset, TopicPartition};
use aquifer_wal::Record;

use super::generations::cleaned_spans;
use crate::format::{FormatError, Layout, Mark, MarksFile, SegmentName, Suffix, WalEntry};

/// What marks and WAL say of one partition.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    pub(crate) log_start: Option<Offset>,
    /// Durable by the segments alone.
    pub(crate) mark: Option<Mark>,
    /// Where the bytes that the WAL held end: durable too, now that they are written back.
    pub(crate) replayed_to: Option<(SegmentName, u64)>,
    pub(crate) dropped: bool,
}

impl Known {
    /// The furthest position that was durable, by the segments or by the WAL.
    pub(super) fn durable(&self) -> Option<Mark> {
        let replayed =
            self.replayed_to.map(|(segment, position)| Mark { segment, position, end: segment.base });
        replayed.or(self.mark)
    }
}

/// What the WAL's records, taken in order, say of every partition.
pub(crate) struct WalRecords<'a> {
    disk: &'a dyn Disk,
    layout: &'a Layout,
    pub(crate) known: BTreeMap<TopicPartition, Known>,
    /// What compaction rewrote: all of it was durable by its segments before.
    cleaned: BTreeMap<TopicPartition, Vec<Range<Offset>>>,
}

/// Bytes of a segment that only the WAL is known to hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held<'a> {
    pub(crate) id: TopicPartition,
    pub(crate) segment: SegmentName,
    pub(crate) position: u64,
    pub(crate) bytes: &'a [u8],
}

/// Puts back into segments what the WAL's records hold.
pub(super) struct WalReplay<'a> {
    pub(super) records: WalRecords<'a>,
    open: Option<(TopicPartition, SegmentName, FileHandle)>,
    pub(super) failed: Option<ReplayError>,
}

/// The WAL could not be read, or not be put back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("record of the write-ahead log: {0}")]
    Format(#[from] FormatError),
}

impl<'a> WalRecords<'a> {
    pub(crate) fn new(disk: &'a dyn Disk, layout: &'a Layout, marks: &MarksFile) -> WalRecords<'a> {
        let known = marks.partitions.iter().map(|partition| {
            let known = Known {
                log_start: Some(partition.log_start),
                mark: Some(partition.mark),
                ..Known::default()
            };
            (partition.id, known)
        });
        WalRecords { disk, layout, known: known.collect(), cleaned: BTreeMap::new() }
    }

    /// Takes the next record; gives back what it holds beyond the marks.
    pub(crate) fn take<'r>(&mut self, record: Record<'r>) -> Result<Option<Held<'r>>, ReplayError> {
        match WalEntry::decode(record.kind, record.payload)? {
            WalEntry::Synced { id, mark } => self.known.entry(id).or_default().mark = Some(mark),
            WalEntry::Start { id, log_start } => {
                let known = self.known.entry(id).or_default();
                known.log_start = known.log_start.max(Some(log_start));
            }
            WalEntry::Drop { id } => {
                self.known.insert(id, Known { dropped: true, ..Known::default() });
            }
            WalEntry::Data { id, base, segment, position, is_part, bytes, .. } => {
                let rewritten = self.is_rewritten(id, base)?;
                let known = self.known.entry(id).or_default();
                let end = position + bytes.len() as u64;
                let durable = known.mark.is_some_and(|mark| {
                    segment.base < mark.segment.base || (segment == mark.segment && end <= mark.position)
                });
                if known.dropped || durable || rewritten {
                    return Ok(None);
                }
                // Part of a batch was never acknowledged: it reads as a torn tail if the rest is missing.
                if !is_part {
                    known.replayed_to = Some((segment, end));
                }
                return Ok(Some(Held { id, segment, position, bytes }));
            }
        }
        Ok(None)
    }

    /// Whether a segment of a higher generation holds what is left of this batch: its own segment is not to come back.
    fn is_rewritten(&mut self, id: TopicPartition, base: Offset) -> Result<bool, DiskError> {
        let spans = match self.cleaned.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(cleaned_spans(self.disk, self.layout, id)?),
        };
        Ok(spans.iter().any(|span| span.contains(&base)))
    }
}

impl<'a> WalReplay<'a> {
    pub(super) fn new(disk: &'a dyn Disk, layout: &'a Layout, marks: &MarksFile) -> WalReplay<'a> {
        WalReplay { records: WalRecords::new(disk, layout, marks), open: None, failed: None }
    }

    /// Applies one record; after a failure nothing more.
    pub(super) fn apply(&mut self, record: Record<'_>) {
        if self.failed.is_none()
            && let Err(error) = self.try_apply(record)
        {
            self.failed = Some(error);
        }
    }

    fn try_apply(&mut self, record: Record<'_>) -> Result<(), ReplayError> {
        match self.records.take(record)? {
            Some(held) => Ok(self.write(&held)?),
            None => Ok(()),
        }
    }

    fn write(&mut self, held: &Held<'_>) -> Result<(), DiskError> {
        let Held { id, segment, position, bytes } = *held;
        let WalRecords { disk, layout, .. } = self.records;
        let path = || layout.segment(id, segment, Suffix::Log);
        let same = self.open.as_ref().is_some_and(|(open, name, _)| (*open, *name) == (id, segment));
        if !same {
            disk.create_dir(&layout.partition(id))?;
            self.open = Some((id, segment, disk.open(&path(), OpenMode::Create)?));
        }
        let (_, _, file) = self.open.as_ref().expect("just opened");
        file.write_at(position, &[IoSlice::new(bytes)]).map_err(|error| DiskError {
            attempted: "write",
            path: path(),
            source: error.source,
        })
    }
}
