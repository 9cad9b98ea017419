//! `Memory`: the raft log as records make it; what readers see.

use std::collections::BTreeMap;
use std::io;
use std::ops::RangeBounds;

use crate::bytes_of::entry_of;
use crate::log::record::{Marks, Record, StoredEntry};
use crate::types::{Entry, LogId};

/// Entries read at once when the reader lets us choose.
const READ_BYTES_MAX: usize = 1 << 20;

/// All entries that were not purged, and the marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) marks: Marks,
    pub(crate) entries: BTreeMap<u64, Held>,
    /// Bytes of all payloads that were ever taken over and not cut off at the end.
    bytes_end: u64,
}

/// An entry and how many bytes of payloads came before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) entry: StoredEntry,
    bytes_before: u64,
}

impl Memory {
    /// Takes over what a record says, when it is made and when it is replayed.
    pub(crate) fn take(&mut self, record: Record) {
        self.marks.note(&record);
        match record {
            Record::Entry(entry) => {
                self.cut_after(entry.id.index.checked_sub(1));
                self.insert(entry);
            }
            Record::Copy(entry) => {
                let purged = self.marks.purged.is_some_and(|purged| entry.id.index <= purged.index);
                if !purged && !self.entries.contains_key(&entry.id.index) {
                    self.insert(entry);
                }
            }
            Record::Truncate(last) => self.cut_after(last.map(|id| id.index)),
            Record::Purge(_) | Record::State(_) => self.cut_purged(),
            Record::Vote(_) | Record::Committed(_) => {}
        }
    }

    fn insert(&mut self, entry: StoredEntry) {
        let bytes_before = self.bytes_end;
        self.bytes_end += entry.payload.len() as u64;
        self.entries.insert(entry.id.index, Held { entry, bytes_before });
    }

    fn cut_after(&mut self, last: Option<u64>) {
        let gone = self.entries.split_off(&last.map_or(0, |last| last + 1));
        if let Some(first) = gone.values().next() {
            self.bytes_end = first.bytes_before;
        }
    }

    fn cut_purged(&mut self) {
        if let Some(purged) = self.marks.purged {
            self.entries = self.entries.split_off(&(purged.index + 1));
        }
    }

    /// The last entry's id, or that of the last one purged.
    pub(crate) fn last(&self) -> Option<LogId> {
        self.entries.values().next_back().map(|held| held.entry.id).or(self.marks.purged)
    }

    /// The index at which the next entry goes.
    pub(crate) fn end(&self) -> u64 {
        self.last().map_or(0, |last| last.index + 1)
    }

    /// The first index that is missing between the purged ones and the end.
    pub(crate) fn hole(&self) -> Option<u64> {
        let start = self.marks.purged.map_or(0, |purged| purged.index + 1);
        (start..).zip(self.entries.keys()).find(|(expected, found)| expected != *found).map(|(at, _)| at)
    }

    pub(crate) fn read(&self, range: impl RangeBounds<u64>) -> io::Result<Vec<Entry>> {
        self.entries.range(range).map(|(_, Held { entry, .. })| entry_of(entry.id, &entry.payload)).collect()
    }

    /// At least one entry of `start..end` if there is one, and no more than a bounded number of bytes.
    pub(crate) fn read_some(&self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        let mut bytes = 0;
        let mut read = Vec::new();
        for (_, Held { entry, .. }) in self.entries.range(start..end) {
            bytes += entry.payload.len();
            if bytes > READ_BYTES_MAX && !read.is_empty() {
                break;
            }
            read.push(entry_of(entry.id, &entry.payload)?);
        }
        Ok(read)
    }

    /// Bytes of entries from `start` on.
    pub(crate) fn bytes_from(&self, start: u64) -> u64 {
        self.entries.range(start..).next().map_or(0, |(_, first)| self.bytes_end - first.bytes_before)
    }
}
