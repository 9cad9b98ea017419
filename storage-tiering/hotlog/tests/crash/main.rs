//! Power cuts over the whole hot log: what was told to be durable is there afterwards, byte for byte.

mod cleaner;
mod compacted;
mod compaction;
mod life;
mod oracle;

use std::collections::BTreeMap;
use std::path::Path;

use aquifer_disk::{CrashChoice, Disk, Fault, FaultPlan, OpKind, SimDisk};
use aquifer_hotlog::Verdict;
use aquifer_hotlog::format::{Layout, SegmentName, Suffix};
use aquifer_types::Offset;

use crate::life::{Plan, live, recover};
use crate::oracle::Oracle;

pub fn disk() -> SimDisk {
    let disk = SimDisk::default();
    disk.create_dir(Path::new("/data")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

/// Lives once, uncut, and says how many operations that took.
pub fn operations(plan: &Plan) -> u64 {
    let disk = disk();
    live(&disk, plan, &mut Oracle::default());
    disk.operations()
}

pub fn cut(plan: &Plan, at: u64, mut check: impl FnMut(&SimDisk, &Oracle)) {
    let disk = disk();
    let mut oracle = Oracle::default();
    disk.lose_power_after(at);
    live(&disk, plan, &mut oracle);
    check(&disk, &oracle);
}

#[test]
fn every_cut_of_a_short_life_in_every_state_the_disk_can_be_left_in() {
    let plan = Plan { seed: 1, partitions: 2, rounds: 6, wide: false, compacts: false };
    let mut states = 0u64;
    for at in 0..operations(&plan) {
        cut(&plan, at, |disk, oracle| {
            // All combinations where there are few, else many drawn by chance.
            let changes = disk.unsynced_changes();
            if changes <= 8 {
                for bits in 0..1u64 << changes {
                    oracle.check(&disk.crash(&mut CrashChoice::Bits(bits)));
                    states += 1;
                }
            }
        });
        cut(&plan, at, |disk, oracle| {
            oracle.check(&disk.crash(&mut CrashChoice::KeepNone));
            oracle.check(&disk.crash(&mut CrashChoice::KeepAll));
            for seed in 0..6 {
                oracle.check(&disk.crash(&mut CrashChoice::seeded(at * 10 + seed)));
            }
        });
    }
    assert!(states > 200, "hardly any state was enumerated: {states}");
}

#[test]
fn cuts_of_longer_lives_that_roll_delete_and_reuse_the_log() {
    for seed in 0..12 {
        let plan = Plan { seed, partitions: 4, rounds: 60, wide: true, compacts: false };
        let all = operations(&plan);
        for step in 0..25 {
            let at = all * step / 25 + seed % 7;
            cut(&plan, at, |disk, oracle| {
                for choice in 0..3 {
                    oracle.check(&disk.crash(&mut CrashChoice::seeded(seed * 1000 + step * 10 + choice)));
                }
            });
        }
    }
}

#[test]
fn lives_follow_one_another_through_power_cuts_and_clean_stops() {
    for seed in 0..60u64 {
        let mut disk = disk();
        let mut oracle = Oracle::default();
        for life in 0..6u64 {
            let plan = Plan {
                seed: seed * 100 + life,
                partitions: 3,
                rounds: 25,
                wide: life % 2 == 0,
                compacts: false,
            };
            if life % 3 != 2 {
                disk.lose_power_after(20 + (seed * 37 + life * 101) % 300);
            }
            live(&disk, &plan, &mut oracle);
            disk = if disk.has_lost_power() {
                disk.crash(&mut CrashChoice::seeded(seed * 7 + life))
            } else {
                disk.crash(&mut CrashChoice::KeepNone)
            };
            oracle.check(&disk);
            oracle.settle(&disk);
        }
    }
}

#[test]
fn failing_writes_and_a_full_disk_refuse_and_lose_nothing() {
    for seed in 0..40u64 {
        let disk = disk();
        let mut oracle = Oracle::default();
        disk.set_faults(Some(FaultPlan::new(move |kind, path, number| {
            let hits = kind == OpKind::Write && number % 11 == seed % 11;
            let segment = path.extension().is_some_and(|extension| extension == "log");
            (hits && segment).then_some(if seed % 2 == 0 { Fault::Full } else { Fault::Short(100) })
        })));
        // Those that roll leave segments behind that hold nothing.
        let wide = seed.is_multiple_of(3);
        live(&disk, &Plan { seed, partitions: 3, rounds: 60, wide, compacts: false }, &mut oracle);
        disk.set_faults(None);

        oracle.check(&disk.crash(&mut CrashChoice::KeepNone));
        oracle.check(&disk.crash(&mut CrashChoice::seeded(seed)));
    }
}

#[test]
fn after_a_failed_flush_nothing_more_is_told_durable() {
    for fail_at in 1..30u64 {
        let disk = disk();
        let mut oracle = Oracle::default();
        disk.set_faults(Some(FaultPlan::new(move |kind, path, number| {
            let wal = path.extension().is_some_and(|extension| extension == "wal");
            (kind == OpKind::Sync && wal && number > 60 + fail_at * 5).then_some(Fault::Io)
        })));
        live(
            &disk,
            &Plan { seed: fail_at, partitions: 2, rounds: 30, wide: false, compacts: false },
            &mut oracle,
        );
        disk.set_faults(None);

        for choice in 0..8 {
            oracle.check(&disk.crash(&mut CrashChoice::seeded(fail_at * 100 + choice)));
        }
    }
}

#[test]
fn damage_below_what_was_durable_quarantines_the_partition_and_stays_on_record() {
    let disk = disk();
    let mut oracle = Oracle::default();
    live(&disk, &Plan { seed: 6, partitions: 2, rounds: 20, wide: false, compacts: false }, &mut oracle);
    let victim = *oracle
        .logs
        .iter()
        .find(|(_, promise)| promise.durable > Offset::ZERO)
        .map(|(id, _)| id)
        .expect("there are partitions");
    let mut disk = disk.crash(&mut CrashChoice::KeepNone);
    // Without the shortcut of a clean stop everything is read.
    let _none_after_an_unclean_end = disk.remove_file(&Layout::new("/data").clean());
    let first = first_segment(&disk, victim);
    disk.flip_bit(&Layout::new("/data").segment(victim, first, Suffix::Log), 70);

    for start in 0..3 {
        let opened = recover(&disk);
        let verdicts: BTreeMap<_, _> =
            opened.partitions.iter().map(|(id, recovered)| (*id, recovered.verdict)).collect();
        assert_eq!(verdicts[&victim], Verdict::Corrupt, "start {start}");
        assert!(verdicts.iter().all(|(id, verdict)| *id == victim || *verdict == Verdict::Clean));
        drop(opened);
        disk = disk.crash(&mut CrashChoice::KeepNone);
    }
}

fn first_segment(disk: &SimDisk, id: aquifer_types::TopicPartition) -> SegmentName {
    let entries = disk.list(&Layout::new("/data").partition(id)).unwrap();
    let mut names: Vec<SegmentName> = entries
        .iter()
        .filter_map(|entry| SegmentName::parse(&entry.name))
        .filter(|(_, suffix)| *suffix == Suffix::Log)
        .map(|(name, _)| name)
        .collect();
    names.sort();
    // The last one: sealed segments are trusted by their index at a start.
    let last = names.last().copied().expect("a segment");
    assert!(last.base >= Offset::ZERO);
    last
}
