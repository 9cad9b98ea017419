//! `Judge`: compares what members read with what the log holds and with who died when. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

/// Offsets of one partition that a member wrote out, in order, and when that was seen, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) member: usize,
    pub(super) at: u64,
    pub(super) partition: i32,
    pub(super) offsets: Range<i64>,
}

/// Who died, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Deaths {
    pub(super) members: BTreeMap<usize, u64>,
    /// From the broker's death until it answered again.
    pub(super) outages: Vec<Range<u64>>,
}

/// What is known of all readings so far.
#[derive(Debug, Default)]
pub(super) struct Judge {
    /// By partition and first offset: up to where, and who read it last, and when.
    read: BTreeMap<(i32, i64), Read>,
    pub(super) repeated: u64,
    pub(super) violations: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Read {
    end: i64,
    member: usize,
    at: u64,
}

/// How long before a death what was read may be uncommitted: the commit interval, and what commits and the pipes between
/// the processes may take on a busy machine.
const UNCOMMITTED_MS: u64 = 4_000;

impl Deaths {
    /// Whether what this member read then may be read again.
    fn excuse(&self, read: &Read) -> bool {
        let reaches = |death: u64| read.at + UNCOMMITTED_MS >= death;
        self.members.get(&read.member).is_some_and(|death| reaches(*death))
            || self
                .outages
                .iter()
                .any(|outage| reaches(outage.start) && read.at <= outage.end.saturating_add(UNCOMMITTED_MS))
    }
}

impl Judge {
    /// Takes in all readings, and finds what was read again without a death.
    pub(super) fn hear(&mut self, mut readings: Vec<Reading>, deaths: &Deaths) {
        readings.sort_by_key(|reading| reading.at);
        for reading in readings {
            self.hear_one(&reading, deaths);
        }
    }

    fn hear_one(&mut self, reading: &Reading, deaths: &Deaths) {
        let Reading { member, at, partition, offsets } = reading;
        for (first, read) in self.overlapping(*partition, offsets) {
            self.read.remove(&(*partition, first));
            let again = first.max(offsets.start)..read.end.min(offsets.end);
            self.repeated += again.end.abs_diff(again.start);
            if !deaths.excuse(&read) {
                self.violations.push(format!(
                    "partition {partition}, offsets {again:?}: read by member {} at {} ms and again by member {member} at {at} \
                     ms, though neither it nor the broker died",
                    read.member, read.at
                ));
            }
            // What was not read again stays as it is.
            if first < again.start {
                self.read.insert((*partition, first), Read { end: again.start, ..read });
            }
            if again.end < read.end {
                self.read.insert((*partition, again.end), read);
            }
        }
        let read = Read { end: offsets.end, member: *member, at: *at };
        self.read.insert((*partition, offsets.start), read);
    }

    fn overlapping(&self, partition: i32, offsets: &Range<i64>) -> Vec<(i64, Read)> {
        let before = self.read.range(..(partition, offsets.start)).next_back();
        let before = before.filter(|((of, _), read)| *of == partition && read.end > offsets.start);
        let within = self.read.range((partition, offsets.start)..(partition, offsets.end));
        before.into_iter().chain(within).map(|((_, first), read)| (*first, *read)).collect()
    }

    /// Finds what nobody read, of a partition that has these offsets.
    pub(super) fn close(&mut self, partition: i32, offsets: Range<i64>) {
        let mut next = offsets.start;
        for ((_, first), read) in self.read.range((partition, offsets.start)..(partition, offsets.end)) {
            if *first > next {
                self.violations
                    .push(format!("partition {partition}, offsets {next}..{first}: read by nobody"));
            }
            next = next.max(read.end);
        }
        if next < offsets.end {
            let end = offsets.end;
            self.violations.push(format!("partition {partition}, offsets {next}..{end}: read by nobody"));
        }
    }
}

#[cfg(test)]
#[path = "judge_test.rs"]
mod tests;
