//! What compaction must keep, and what it must not bring back.

use std::collections::BTreeMap;

use aquifer_hotlog::{FilePool, Log};
use aquifer_record::{batches, decode};
use aquifer_types::Offset;

use crate::oracle::{Promise, read};

/// One record with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    pub offset: Offset,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// The records of whole batches.
pub fn records(bytes: &[u8]) -> Vec<Placed> {
    let mut found = Vec::new();
    for batch in batches(bytes) {
        assert!(batch.checksum_holds(), "a batch is damaged");
        let mut unpacked = Vec::new();
        let records = decode(&batch.header, batch.body(), 1 << 20, &mut unpacked).expect("a codec");
        for record in records {
            let record = record.expect("a record");
            found.push(Placed {
                offset: record.offset,
                key: record.key.expect("a key").to_vec(),
                value: record.value.map(<[u8]>::to_vec),
            });
        }
    }
    found
}

impl Promise {
    pub fn check_compacted(&self, log: &Log, files: &FilePool) {
        let id = log.id();
        let (start, end) = (log.log_start(), log.end());
        let found: BTreeMap<Offset, Placed> =
            read_all(log, files).into_iter().map(|record| (record.offset, record)).collect();
        let appended: Vec<Placed> =
            self.appended.iter().flat_map(|batch| records(&batch.bytes)).filter(|r| r.offset < end).collect();
        let original: BTreeMap<Offset, &Placed> =
            appended.iter().map(|record| (record.offset, record)).collect();
        for (offset, record) in &found {
            assert_eq!(Some(&record), original.get(offset), "{id} at {offset}");
            assert!(!self.gone.contains(offset), "{id}: {record:?} rose from the dead");
        }
        for lost in
            appended.iter().filter(|record| record.offset >= start && !found.contains_key(&record.offset))
        {
            let same_key = |other: &&Placed| other.key == lost.key;
            let superseded = appended
                .iter()
                .filter(same_key)
                .any(|other| other.offset > lost.offset && other.offset < self.cleaned_below);
            let tombstone = lost.value.is_none() && lost.offset < self.cleaned_below;
            assert!(superseded || tombstone, "{id} lost {lost:?}, cleaned below {}", self.cleaned_below);
            if lost.value.is_none() {
                let before = found.values().filter(same_key).find(|other| other.offset < lost.offset);
                assert_eq!(before, None, "{id}: a tombstone at {} is gone, its victim is not", lost.offset);
            }
        }
    }
}

/// Every record from the log's start to its end.
pub fn read_all(log: &Log, files: &FilePool) -> Vec<Placed> {
    let mut found = Vec::new();
    let mut from = log.log_start();
    while from < log.end() {
        let located = log.locate(from, log.end()).expect("something stands below the end");
        let range = located.resolve(files, 1).expect("it can be read");
        assert!(range.next > from, "offsets go back");
        found.extend(records(&read(&range.file, range.at, range.len).expect("whole")));
        from = range.next;
    }
    assert_eq!(from, log.end(), "the log ends where its last batch does");
    found.retain(|record| record.offset >= log.log_start());
    found
}
