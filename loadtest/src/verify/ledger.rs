//! `Ledger`: an append-only file of what was acknowledged, one line per batch.
//!
//! Each line is written by one call as soon as the acknowledgement is there, so that it survives the death of this
//! process. It is not synced: what dies in the tests is the server.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};

use crate::verify::stamp::Stamp;

/// A batch that was acknowledged: where it stands and what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub partition: i32,
    pub base_offset: i64,
    pub producer: u64,
    /// Of the first record.
    pub sequence: u64,
    pub records: u64,
}

/// Where acknowledgements are noted, by many producers.
#[derive(Debug)]
pub struct Ledger {
    file: Mutex<File>,
}

impl Ledger {
    /// Adds to the file, which may be there from runs before.
    pub fn append_to(path: &Path) -> Result<Ledger> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.with_context(|| format!("open {}", path.display()))?;
        Ok(Ledger { file: Mutex::new(file) })
    }

    /// Another handle to the same file.
    pub fn share(&self) -> Result<Ledger> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner).try_clone();
        Ok(Ledger { file: Mutex::new(file.context("share the ledger")?) })
    }

    pub fn note(&self, entry: &Entry) -> Result<()> {
        let Entry { partition, base_offset, producer, sequence, records } = entry;
        let line = format!("{partition} {base_offset} {producer:016x} {sequence} {records}\n");
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes()).context("write to the ledger")
    }
}

impl Entry {
    /// The stamp that the record at that offset should have.
    pub fn stamp_at(&self, offset: i64) -> Stamp {
        let index = offset.abs_diff(self.base_offset);
        Stamp { producer: self.producer, partition: self.partition, sequence: self.sequence + index }
    }

    fn parse(line: &str) -> Option<Entry> {
        let mut fields = line.split(' ');
        let entry = Entry {
            partition: fields.next()?.parse().ok()?,
            base_offset: fields.next()?.parse().ok()?,
            producer: u64::from_str_radix(fields.next()?, 16).ok()?,
            sequence: fields.next()?.parse().ok()?,
            records: fields.next()?.parse().ok()?,
        };
        fields.next().is_none().then_some(entry)
    }
}

/// All entries, by partition and offset. A last line that was cut off with its writer is left out.
pub fn entries(path: &Path) -> Result<Vec<Entry>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    let mut entries = Vec::new();
    for (index, line) in whole.lines().enumerate() {
        let entry = Entry::parse(line);
        entries.push(entry.with_context(|| format!("line {} of {}", index + 1, path.display()))?);
    }
    entries.sort_unstable();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(partition: i32, base_offset: i64) -> Entry {
        Entry { partition, base_offset, producer: 0xabc, sequence: 10, records: 3 }
    }

    #[test]
    fn entries_of_many_runs_come_back_in_order_without_a_last_line_cut_off() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("ledger");
        for entry in [entry(1, 0), entry(0, 7), entry(0, 2)] {
            Ledger::append_to(&path).expect("opened").note(&entry).expect("noted");
        }
        let mut file = OpenOptions::new().append(true).open(&path).expect("opened");
        file.write_all(b"1 3 0000").expect("written");

        assert_eq!(entries(&path).expect("read"), [entry(0, 2), entry(0, 7), entry(1, 0)]);
    }

    #[test]
    fn a_line_that_is_no_entry_is_an_error() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("ledger");
        std::fs::write(&path, "1 2 abc 0\n").expect("written");

        assert!(format!("{:#}", entries(&path).expect_err("refused")).contains("line 1"));
    }
}
