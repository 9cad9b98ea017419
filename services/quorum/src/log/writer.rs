//! `Writer`: puts records into write-ahead log files, and lets files go that hold nothing needed.
//!
//! Every file opens with a State record, so that votes and marks never need an older file. Entries do, until they are
//! purged; where many files pile up before a purge (one is begun at each start), what is needed of them is copied into
//! the newest and they are let go.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aquifer_disk::Disk;
use aquifer_types::DirectoryId;
use aquifer_wal::{Group, Settings, Wal};

use crate::error::StartError;
use crate::log::memory::Memory;
use crate::log::record::{Marks, Record};

/// Records of one flush at most, and never more than half a file.
const GROUP_BYTES_MAX: usize = 1 << 20;
/// Files at start from which on what is needed is copied together.
const FILES_BEFORE_COPY: usize = 3;
/// What a copied entry takes beyond its payload, its part of a group's padding included, generously.
const COPY_BYTES: usize = 128;

/// The size of the raft log's files. Proposals are refused long before the last of them is used, so that starting and
/// making snapshots always finds room.
pub(crate) fn wal_settings() -> Settings {
    Settings { first_slot_bytes: 256 << 10, slot_bytes: 8 << 20, slots_max: 32 }
}

/// The files of the raft log.
#[derive(Debug)]
pub(crate) struct Writer {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    wal: Wal,
    group: Group,
    /// What has been written, which may be behind what readers see.
    marks: Marks,
    /// A commit mark that waits for the next flush: losing it costs nothing but time at start.
    unwritten_mark: bool,
    /// For each file the end of the entries in it.
    ends: BTreeMap<u64, u64>,
    /// Records of one flush, unless a single one is larger.
    group_bytes_max: usize,
    failed: Option<String>,
}

impl Writer {
    /// Opens the files and reads back what they hold.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        directory: DirectoryId,
        settings: Settings,
    ) -> Result<(Writer, Memory), StartError> {
        let mut memory = Memory::default();
        let mut ends: BTreeMap<u64, u64> = BTreeMap::new();
        let mut unreadable = None;
        let mut replay = |record: aquifer_wal::Record<'_>| match Record::parse(record.kind, record.payload) {
            Ok(parsed) => {
                note_end(&mut ends, record.generation, &parsed);
                memory.take(parsed);
            }
            Err(error) => unreadable = Some(error),
        };
        let wal = Wal::open(&*disk, folder, directory, settings, &mut replay)?;
        if let Some(error) = unreadable {
            return Err(StartError::Unreadable(error));
        }
        let mut writer = Writer {
            disk,
            folder: folder.to_owned(),
            wal,
            group: Group::with_capacity(64 << 10),
            marks: memory.marks,
            unwritten_mark: false,
            ends,
            group_bytes_max: usize::try_from(settings.slot_bytes / 2)
                .unwrap_or(usize::MAX)
                .min(GROUP_BYTES_MAX),
            failed: None,
        };
        if writer.is_scattered(&memory, settings) {
            writer.copy_together(&memory).map_err(StartError::Unreadable)?;
        }
        Ok((writer, memory))
    }

    /// Whether many files hold so little that it fits a part of the free ones.
    fn is_scattered(&self, memory: &Memory, settings: Settings) -> bool {
        let live = self.wal.live_generations().len();
        let needed = memory.entries.values().map(|held| held.entry.payload.len() + COPY_BYTES).sum::<usize>();
        let free = settings.slots_max.saturating_sub(live) as u64 * settings.slot_bytes;
        live >= FILES_BEFORE_COPY && needed as u64 <= free / 2
    }

    /// Writes what is needed of all files into the newest and lets the others go.
    fn copy_together(&mut self, memory: &Memory) -> io::Result<()> {
        let old = self.wal.live_generations();
        let copies: Vec<Record> =
            memory.entries.values().map(|held| Record::Copy(held.entry.clone())).collect();
        self.write_all(&copies)?;
        if copies.is_empty() {
            self.write_group(&[])?;
        }
        if let Some(last) = old.last() {
            self.free_below(last + 1)?;
        }
        Ok(())
    }

    /// Makes the records durable, in their order. After a failure nothing is written any more.
    pub(crate) fn write(&mut self, records: &[Record]) -> io::Result<()> {
        if let Some(failed) = &self.failed {
            return Err(io::Error::other(format!("the raft log failed before: {failed}")));
        }
        let written = self.write_all(records).and_then(|()| self.free_purged());
        if let Err(error) = &written {
            self.failed = Some(error.to_string());
        }
        written
    }

    /// Takes a commit mark along with the next flush.
    pub(crate) fn mark(&mut self, record: &Record) {
        self.marks.note(record);
        self.unwritten_mark = true;
    }

    /// Makes a waiting commit mark durable.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.unwritten_mark { self.write(&[Record::Committed(self.marks.committed)]) } else { Ok(()) }
    }

    /// Makes the next file while nobody waits, so that a full volume is met before it is needed.
    pub(crate) fn prepare(&mut self) -> io::Result<()> {
        if self.failed.is_none()
            && let Some(slot) = self.wal.wanted()
        {
            self.wal.add(slot.create(&*self.disk).map_err(io::Error::other)?);
        }
        Ok(())
    }

    /// How much of the files is needed, in parts of a thousand.
    pub(crate) fn fullness(&self) -> u64 {
        self.wal.fullness()
    }

    fn write_all(&mut self, mut records: &[Record]) -> io::Result<()> {
        while !records.is_empty() {
            let mut bytes = 0;
            let fitting = records.iter().take_while(|record| {
                bytes += record.size();
                bytes <= self.group_bytes_max
            });
            let count = fitting.count().max(1);
            let (now, later) = records.split_at(count);
            self.write_group(now)?;
            records = later;
        }
        Ok(())
    }

    fn write_group(&mut self, records: &[Record]) -> io::Result<()> {
        self.fill(records, false);
        if self.wal.opens_file(self.group.sealed_bytes()) {
            self.fill(records, true);
        }
        let placement = loop {
            match self.wal.seal(&mut self.group) {
                Ok(placement) => break placement,
                Err(full) => match self.wal.wanted() {
                    Some(slot) => self.wal.add(slot.create(&*self.disk).map_err(io::Error::other)?),
                    None => return Err(io::Error::other(full)),
                },
            }
        };
        placement.write(&self.group)?;
        self.unwritten_mark = false;
        self.ends.entry(placement.generation).or_default();
        for record in records {
            self.marks.note(record);
            note_end(&mut self.ends, placement.generation, record);
        }
        Ok(())
    }

    fn fill(&mut self, records: &[Record], opens_file: bool) {
        self.group.clear();
        let state = opens_file.then_some(Record::State(self.marks));
        let mark = self.unwritten_mark.then_some(Record::Committed(self.marks.committed));
        for record in state.iter().chain(mark.iter()).chain(records) {
            let (head, tail) = record.parts();
            self.group.push(record.kind(), &[&head, tail]);
        }
    }

    /// Lets the oldest files go whose entries were all purged.
    fn free_purged(&mut self) -> io::Result<()> {
        let start = self.marks.purged.map_or(0, |purged| purged.index + 1);
        let current = self.wal.generation();
        let mut ends = self.ends.iter();
        let needed = ends.find(|(generation, end)| **end > start || **generation == current);
        let floor = needed.map_or(current, |(generation, _)| *generation);
        if self.ends.keys().next().is_some_and(|oldest| *oldest < floor) {
            self.free_below(floor)?;
        }
        Ok(())
    }

    fn free_below(&mut self, generation: u64) -> io::Result<()> {
        let floor = self.wal.floor_below(generation);
        floor.write(&*self.disk, &self.folder).map_err(io::Error::other)?;
        self.wal.free_below(floor);
        self.ends = self.ends.split_off(&generation);
        Ok(())
    }
}

fn note_end(ends: &mut BTreeMap<u64, u64>, generation: u64, record: &Record) {
    let end = ends.entry(generation).or_default();
    if let Record::Entry(entry) | Record::Copy(entry) = record {
        *end = (*end).max(entry.id.index + 1);
    }
}
