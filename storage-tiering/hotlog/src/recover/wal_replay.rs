//! Putting back into segments what only the write-ahead log made durable.

use std::collections::BTreeMap;
use std::io::IoSlice;

use aquifer_disk::{Disk, DiskError, FileHandle, OpenMode};
use aquifer_types::{Offset, TopicPartition};
use aquifer_wal::Record;

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
#[derive(Debug)]
pub(crate) struct WalRecords {
    pub(crate) known: BTreeMap<TopicPartition, Known>,
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
    disk: &'a dyn Disk,
    layout: &'a Layout,
    pub(super) records: WalRecords,
    open: Option<(TopicPartition, SegmentName, FileHandle)>,
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

impl WalRecords {
    pub(crate) fn new(marks: &MarksFile) -> WalRecords {
        let known = marks.partitions.iter().map(|partition| {
            let known = Known {
                log_start: Some(partition.log_start),
                mark: Some(partition.mark),
                ..Known::default()
            };
            (partition.id, known)
        });
        WalRecords { known: known.collect() }
    }

    /// Takes the next record; gives back what it holds beyond the marks.
    pub(crate) fn take<'r>(&mut self, record: Record<'r>) -> Result<Option<Held<'r>>, FormatError> {
        match WalEntry::decode(record.kind, record.payload)? {
            WalEntry::Synced { id, mark } => self.known.entry(id).or_default().mark = Some(mark),
            WalEntry::Start { id, log_start } => {
                let known = self.known.entry(id).or_default();
                known.log_start = known.log_start.max(Some(log_start));
            }
            WalEntry::Drop { id } => {
                self.known.insert(id, Known { dropped: true, ..Known::default() });
            }
            WalEntry::Data { id, segment, position, is_part, bytes, .. } => {
                let known = self.known.entry(id).or_default();
                let end = position + bytes.len() as u64;
                let durable = known.mark.is_some_and(|mark| {
                    segment.base < mark.segment.base || (segment == mark.segment && end <= mark.position)
                });
                if known.dropped || durable {
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
}

impl<'a> WalReplay<'a> {
    pub(super) fn new(disk: &'a dyn Disk, layout: &'a Layout, marks: &MarksFile) -> WalReplay<'a> {
        WalReplay { disk, layout, records: WalRecords::new(marks), open: None, failed: None }
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
        if let Some(held) = self.records.take(record)? {
            self.write(&held)?;
        }
        Ok(())
    }

    fn write(&mut self, held: &Held<'_>) -> Result<(), DiskError> {
        let Held { id, segment, position, bytes } = *held;
        let path = || self.layout.segment(id, segment, Suffix::Log);
        let same = self.open.as_ref().is_some_and(|(open, name, _)| (*open, *name) == (id, segment));
        if !same {
            self.disk.create_dir(&self.layout.partition(id))?;
            self.open = Some((id, segment, self.disk.open(&path(), OpenMode::Create)?));
        }
        let (_, _, file) = self.open.as_ref().expect("just opened");
        file.write_at(position, &[IoSlice::new(bytes)]).map_err(|error| DiskError {
            attempted: "write",
            path: path(),
            source: error.source,
        })
    }
}
