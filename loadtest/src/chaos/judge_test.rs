//! What counts as lost, and which repetitions a death excuses.

use std::collections::BTreeMap;

use super::*;

fn reading(member: usize, at: u64, offsets: Range<i64>) -> Reading {
    Reading { member, at, partition: 3, offsets }
}

fn judged(readings: &[Reading], deaths: &Deaths) -> Judge {
    let mut judge = Judge::default();
    judge.hear(readings.to_vec(), deaths);
    judge
}

fn killed(member: usize, at: u64) -> Deaths {
    Deaths { members: BTreeMap::from([(member, at)]), outages: Vec::new() }
}

#[test]
fn what_everybody_read_once_is_all_there_is() {
    let mut judge = judged(&[reading(0, 10, 0..5), reading(1, 20, 5..9)], &Deaths::default());

    judge.close(3, 0..9);

    assert_eq!((judge.repeated, judge.violations.len()), (0, 0));
}

#[test]
fn what_nobody_read_is_found_at_the_start_in_the_middle_and_at_the_end() {
    let mut judge = judged(&[reading(0, 10, 1..3), reading(0, 20, 5..8)], &Deaths::default());

    judge.close(3, 0..9);

    let missing: Vec<bool> =
        ["0..1", "3..5", "8..9"].iter().map(|gap| judge.violations.iter().any(|v| v.contains(gap))).collect();
    assert_eq!((missing, judge.violations.len()), (vec![true; 3], 3));
}

#[test]
fn a_repetition_is_excused_by_the_death_of_who_read_first_soon_after() {
    let readings = [reading(0, 10_000, 0..10), reading(1, 30_000, 4..12)];
    for (deaths, excused) in [
        (killed(0, 10_500), true),
        (killed(0, 10_000 + UNCOMMITTED_MS + 1), false),
        // Dead already when the pipe was read.
        (killed(0, 9_990), true),
        (killed(1, 10_500), false),
        (Deaths::default(), false),
    ] {
        let judge = judged(&readings, &deaths);

        assert_eq!((judge.repeated, judge.violations.is_empty()), (6, excused), "{deaths:?}");
    }
}

#[test]
fn the_brokers_death_excuses_what_was_read_about_that_time_and_nothing_else() {
    let outage = |start, end| {
        let mut deaths = Deaths::default();
        deaths.outages.push(start..end);
        deaths
    };
    let readings = [reading(0, 10_000, 0..10), reading(1, 90_000, 0..10)];
    for (deaths, excused) in [
        (outage(10_500, 12_000), true),
        (outage(8_000, 9_000), true),
        (outage(1_000, 9_999 - UNCOMMITTED_MS), false),
        (outage(10_001 + UNCOMMITTED_MS, 20_000), false),
    ] {
        let judge = judged(&readings, &deaths);

        assert_eq!(judge.violations.is_empty(), excused, "{deaths:?}");
    }
}

#[test]
fn a_repetition_is_judged_by_who_read_each_part_last() {
    // Member 0 is dead, member 1 is not: of what 2 reads, only what 1 read is wrong.
    let readings = [reading(0, 100, 0..10), reading(1, 200, 4..6), reading(2, 300, 0..10)];

    let judge = judged(&readings, &killed(0, 150));

    assert_eq!((judge.repeated, judge.violations.len()), (12, 1));
    assert!(judge.violations[0].contains("4..6"), "{:?}", judge.violations);
}
