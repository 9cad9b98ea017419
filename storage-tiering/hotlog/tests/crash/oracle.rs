//! What was promised, and whether a disk keeps it.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_disk::{FileHandle, SimDisk};
use aquifer_hotlog::{Log, Verdict};
use aquifer_types::{Offset, TopicPartition};

use crate::life::recover;

/// One batch as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub base: Offset,
    pub end: Offset,
    pub bytes: Vec<u8>,
}

/// What one partition was told.
#[derive(Clone, Debug, Default)]
pub struct Promise {
    pub appended: Vec<Batch>,
    /// Everything below was told to be durable.
    pub durable: Offset,
    /// The start that was told to be durable, and the furthest that was asked for.
    pub started: Offset,
    pub start_asked: Offset,
    /// Whether records may be removed that others supersede.
    pub compacts: bool,
    /// Where the part ends that a cleaning may have begun to change.
    pub cleaned_below: Offset,
    /// Offsets whose records a committed cleaning removed.
    pub gone: BTreeSet<Offset>,
}

/// What every partition was told.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    pub logs: BTreeMap<TopicPartition, Promise>,
    /// How many operations the disk had seen when the first cleaning began.
    pub first_cleaning: Option<u64>,
}

impl Oracle {
    /// Recovers a copy of the disk and compares.
    pub fn check(&self, disk: &SimDisk) {
        let disk = disk.crash(&mut aquifer_disk::CrashChoice::KeepAll);
        let opened = recover(&disk);
        for (id, promise) in &self.logs {
            let Some(recovered) = opened.partitions.get(id) else {
                assert_eq!(promise.durable, promise.started, "{id} is gone: {promise:?}");
                continue;
            };
            assert!(
                matches!(recovered.verdict, Verdict::Clean | Verdict::TornTail),
                "a power cut is no corruption: {id} {:?} durable {}",
                recovered.verdict,
                promise.durable
            );
            promise.check(&recovered.log, opened.directory.files());
        }
    }

    /// Takes the disk's state for granted: what follows builds on what survived.
    pub fn settle(&mut self, disk: &SimDisk) {
        let disk = disk.crash(&mut aquifer_disk::CrashChoice::KeepAll);
        let opened = recover(&disk);
        for (id, promise) in &mut self.logs {
            let (start, end) = opened
                .partitions
                .get(id)
                .map_or((promise.started, promise.started), |found| (found.log.log_start(), found.log.end()));
            promise.appended.retain(|batch| batch.end <= end);
            promise.durable = end;
            promise.started = start;
            promise.start_asked = start;
        }
    }
}

impl Promise {
    fn check(&self, log: &Log, files: &aquifer_hotlog::FilePool) {
        let id = log.id();
        assert!(
            log.log_start() >= self.started,
            "{id} starts at {} again, not {}",
            log.log_start(),
            self.started
        );
        assert!(
            log.log_start() <= self.start_asked,
            "{id} starts at {}, asked {}",
            log.log_start(),
            self.start_asked
        );
        assert!(log.end() >= self.durable, "{id} ends at {}, {} was durable", log.end(), self.durable);
        if self.compacts {
            self.check_compacted(log, files);
            return;
        }
        let start = log.log_start();
        let mut from = start;
        let mut expected = self.appended.iter().filter(|batch| batch.end > start && batch.end <= log.end());
        while from < log.end() {
            let located = log.locate(from, log.end()).expect("records below the end are somewhere");
            let range = located.resolve(files, 1).expect("they can be read");
            let batch = expected.next().expect("no record that was never appended");
            let found = read(&range.file, range.at, range.len).expect("whole");
            assert_eq!(found, batch.bytes, "{id} at {from}");
            assert_eq!(range.next, batch.end, "{id} at {from}");
            from = batch.end;
        }
        assert_eq!(expected.next(), None, "{id}");
    }
}

/// A range of a file; nothing where it is not whole or the power is gone.
pub fn read(file: &FileHandle, at: u64, len: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).expect("small")];
    file.read_exact_at(at, &mut bytes).ok()?;
    Some(bytes)
}
