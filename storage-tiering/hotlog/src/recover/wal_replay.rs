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
pub(super) struct Known {
    pub(super) log_start: Option<Offset>,
    /// Durable by the segments alone.
    pub(super) mark: Option<Mark>,
    /// Where the bytes that the WAL held end: durable too, now that they are written back.
    pub(super) replayed_to: Option<(SegmentName, u64)>,
    pub(super) dropped: bool,
}

impl Known {
    /// The furthest position that was durable, by the segments or by the WAL.
    pub(super) fn durable(&self) -> Option<Mark> {
        let replayed =
            self.replayed_to.map(|(segment, position)| Mark { segment, position, end: segment.base });
        replayed.or(self.mark)
    }
}

/// Applies the WAL's records in order.
pub(super) struct WalReplay<'a> {
    disk: &'a dyn Disk,
    layout: &'a Layout,
    pub(super) known: BTreeMap<TopicPartition, Known>,
    open: Option<(TopicPartition, SegmentName, FileHandle)>,
    /// What compaction rewrote: all of it was durable by its segments before.
    cleaned: BTreeMap<TopicPartition, Vec<Range<Offset>>>,
    pub(super) failed: Option<ReplayError>,
}

/// The WAL could not be put back.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplayError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("record of the write-ahead log: {0}")]
    Format(#[from] FormatError),
}

impl<'a> WalReplay<'a> {
    pub(super) fn new(disk: &'a dyn Disk, layout: &'a Layout, marks: &MarksFile) -> WalReplay<'a> {
        let known = marks.partitions.iter().map(|partition| {
            let known = Known {
                log_start: Some(partition.log_start),
                mark: Some(partition.mark),
                ..Known::default()
            };
            (partition.id, known)
        });
        WalReplay { disk, layout, known: known.collect(), open: None, cleaned: BTreeMap::new(), failed: None }
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
        match WalEntry::decode(record.kind, record.payload)? {
            WalEntry::Synced { id, mark } => self.known.entry(id).or_default().mark = Some(mark),
            WalEntry::Start { id, log_start } => {
                let known = self.known.entry(id).or_default();
                known.log_start = known.log_start.max(Some(log_start));
            }
            WalEntry::Drop { id } => {
                self.open = None;
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
                    return Ok(());
                }
                // Part of a batch was never acknowledged: it reads as a torn tail if the rest is missing.
                if !is_part {
                    known.replayed_to = Some((segment, end));
                }
                self.write(id, segment, position, bytes)?;
            }
        }
        Ok(())
    }

    /// Whether a segment of a higher generation holds what is left of this batch: its own segment is not to come back.
    fn is_rewritten(&mut self, id: TopicPartition, base: Offset) -> Result<bool, DiskError> {
        let spans = match self.cleaned.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(cleaned_spans(self.disk, self.layout, id)?),
        };
        Ok(spans.iter().any(|span| span.contains(&base)))
    }

    fn write(
        &mut self,
        id: TopicPartition,
        segment: SegmentName,
        position: u64,
        bytes: &[u8],
    ) -> Result<(), DiskError> {
        let same = self.open.as_ref().is_some_and(|(open, name, _)| (*open, *name) == (id, segment));
        if !same {
            self.disk.create_dir(&self.layout.partition(id))?;
            let path = self.layout.segment(id, segment, Suffix::Log);
            self.open = Some((id, segment, self.disk.open(&path, OpenMode::Create)?));
        }
        let (_, _, file) = self.open.as_ref().expect("just opened");
        file.write_at(position, &[IoSlice::new(bytes)]).map_err(|error| DiskError {
            attempted: "write",
            path: self.layout.segment(id, segment, Suffix::Log),
            source: error.source,
        })
    }
}
