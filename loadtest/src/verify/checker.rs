//! `Checker`: what a partition must look like, record by record. Pure.

use std::collections::BTreeMap;
use std::fmt;

use crate::verify::ledger::Entry;
use crate::verify::stamp::Stamp;

/// Violations beyond this are counted, not described.
const DESCRIBED_MAX: usize = 20;

/// Checks one partition at a time, in order of offsets, against what was acknowledged.
pub struct Checker<'a> {
    partition: i32,
    /// Of this partition, by offset.
    entries: &'a [Entry],
    next_entry: usize,
    next_offset: Option<i64>,
    next_sequences: BTreeMap<u64, u64>,
    findings: Findings,
}

/// What was found in one partition or in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    pub records: u64,
    /// Records that the ledger has.
    pub acknowledged: u64,
    pub violations: Vec<String>,
    pub violations_not_described: u64,
}

impl<'a> Checker<'a> {
    /// `entries` are those of this partition, by offset.
    pub fn new(partition: i32, entries: &'a [Entry]) -> Checker<'a> {
        let acknowledged = entries.iter().map(|entry| entry.records).sum();
        let findings = Findings { acknowledged, ..Findings::default() };
        let next_sequences = BTreeMap::new();
        Checker { partition, entries, next_entry: 0, next_offset: None, next_sequences, findings }
    }

    /// The next record as it was read.
    pub fn record(&mut self, offset: i64, value: Option<&[u8]>) {
        self.findings.records += 1;
        if let Some(expected) = self.next_offset.replace(offset + 1)
            && offset != expected
        {
            self.violation(&format!("offset {offset} follows {}", expected - 1));
        }
        let Some(stamp) = value.and_then(Stamp::read) else {
            self.violation(&format!("the record at {offset} is damaged or not ours"));
            return self.compare(offset, None);
        };
        if stamp.partition != self.partition {
            self.violation(&format!("the record at {offset} was sent to partition {}", stamp.partition));
        }
        let expected = self.next_sequences.insert(stamp.producer, stamp.sequence + 1).unwrap_or(0);
        if stamp.sequence != expected {
            let what = if stamp.sequence < expected {
                "stands twice or out of order"
            } else {
                "has a gap before it"
            };
            let (producer, sequence) = (stamp.producer, stamp.sequence);
            self.violation(&format!(
                "the record at {offset}, {sequence} of producer {producer:016x}, {what}: {expected} was next"
            ));
            // Known for once; what follows is measured by the further of the two.
            self.next_sequences.insert(producer, expected.max(sequence + 1));
        }
        self.compare(offset, Some(stamp));
    }

    /// No more records: what was acknowledged beyond them is lost.
    pub fn finish(mut self) -> Findings {
        while let Some(entry) = self.entries.get(self.next_entry) {
            self.lost(entry);
            self.next_entry += 1;
        }
        self.findings
    }

    /// Compares a record with what was acknowledged at its offset, if anything was.
    fn compare(&mut self, offset: i64, stamp: Option<Stamp>) {
        while let Some(entry) = self.entries.get(self.next_entry) {
            if offset < entry.base_offset {
                return;
            }
            let end = entry.base_offset + i64::try_from(entry.records).unwrap_or(i64::MAX);
            if offset >= end {
                // Passed without its last record having been there.
                self.lost(entry);
                self.next_entry += 1;
                continue;
            }
            if stamp != Some(entry.stamp_at(offset)) {
                let expected = entry.stamp_at(offset);
                self.violation(&format!(
                    "acknowledged record {} of producer {:016x} is not at {offset}",
                    expected.sequence, expected.producer
                ));
            }
            if offset + 1 == end {
                self.next_entry += 1;
            }
            return;
        }
    }

    fn lost(&mut self, entry: &Entry) {
        let Entry { base_offset, producer, sequence, records, .. } = *entry;
        self.violation(&format!(
            "lost: {records} acknowledged records at {base_offset}, from {sequence} of producer {producer:016x} on"
        ));
    }

    fn violation(&mut self, what: &str) {
        let findings = &mut self.findings;
        if findings.violations.len() < DESCRIBED_MAX {
            findings.violations.push(format!("partition {}: {what}", self.partition));
        } else {
            findings.violations_not_described += 1;
        }
    }
}

impl Findings {
    /// Adds those of another partition.
    pub fn add(&mut self, other: Findings) {
        self.records += other.records;
        self.acknowledged += other.acknowledged;
        self.violations_not_described += other.violations_not_described;
        self.violations.extend(other.violations);
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} records read, {} of them acknowledged", self.records, self.acknowledged)?;
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        if self.violations_not_described > 0 {
            writeln!(f, "and {} more", self.violations_not_described)?;
        }
        let verdict =
            if self.violations.is_empty() { "nothing lost, doubled or out of order" } else { "FAILED" };
        write!(f, "{verdict}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTITION: i32 = 2;

    fn record(producer: u64, sequence: u64) -> Vec<u8> {
        let mut record = vec![0; 64];
        Stamp { producer, partition: PARTITION, sequence }.write(&mut record);
        record
    }

    fn entry(base_offset: i64, producer: u64, sequence: u64, records: u64) -> Entry {
        Entry { partition: PARTITION, base_offset, producer, sequence, records }
    }

    /// What a log of these records, from offset 0 on, is found to be.
    fn found(log: &[(u64, u64)], entries: &[Entry]) -> Vec<String> {
        let mut checker = Checker::new(PARTITION, entries);
        for (offset, (producer, sequence)) in log.iter().enumerate() {
            checker.record(offset as i64, Some(&record(*producer, *sequence)));
        }
        checker.finish().violations
    }

    #[test]
    fn a_log_with_all_that_was_acknowledged_and_some_more_is_right() {
        let entries = [entry(0, 1, 0, 2), entry(3, 2, 1, 1)];

        let violations = found(&[(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)], &entries);

        assert_eq!(violations, Vec::<String>::new());
    }

    #[test]
    fn each_kind_of_damage_is_told() {
        let whole = [entry(0, 1, 0, 3)];
        for (log, entries, expected) in [
            (&[(1, 0), (1, 1)][..], &whole[..], "lost: 3 acknowledged records at 0"),
            (&[], &whole[..], "lost: 3 acknowledged records at 0"),
            (&[(1, 0), (1, 1), (1, 1)], &[][..], "1 of producer 0000000000000001, stands twice"),
            (&[(1, 1), (1, 0)], &[][..], "1 of producer 0000000000000001, has a gap before it"),
            (&[(2, 0), (1, 0), (1, 1), (1, 2)], &whole[..], "acknowledged record 0 of producer"),
        ] {
            let violations = found(log, entries);

            assert!(violations.iter().any(|violation| violation.contains(expected)), "{violations:?}");
        }
    }

    #[test]
    fn a_record_that_was_damaged_and_offsets_with_a_hole_are_told() {
        let entries = [entry(0, 1, 0, 1)];
        let mut checker = Checker::new(PARTITION, &entries);
        let mut damaged = record(1, 0);
        damaged[40] ^= 1;

        checker.record(0, Some(&damaged));
        checker.record(2, Some(&record(3, 0)));

        assert_eq!(
            checker.finish().violations,
            [
                "partition 2: the record at 0 is damaged or not ours",
                "partition 2: acknowledged record 0 of producer 0000000000000001 is not at 0",
                "partition 2: offset 2 follows 0",
            ]
        );
    }

    #[test]
    fn a_record_in_the_wrong_partition_is_told() {
        let mut checker = Checker::new(7, &[]);

        checker.record(0, Some(&record(1, 0)));

        assert_eq!(checker.finish().violations, ["partition 7: the record at 0 was sent to partition 2"]);
    }

    #[test]
    fn only_so_many_violations_are_described() {
        let mut checker = Checker::new(0, &[]);

        (0..30).for_each(|offset| checker.record(offset, None));

        let findings = checker.finish();
        assert_eq!((findings.violations.len(), findings.violations_not_described), (20, 10));
    }
}
