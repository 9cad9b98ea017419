//! Power cuts at every step of cleanings, beside appends, deletions and what retention does.

use std::collections::BTreeMap;

use aquifer_disk::{CrashChoice, Fault, FaultPlan, OpKind};

use aquifer_types::Offset;

use crate::life::{Plan, live};
use crate::oracle::Oracle;
use crate::{cut, disk, operations};

/// Lives once, uncut: when the first cleaning began, and when all ended, in operations.
fn first_cleaning(plan: &Plan) -> (u64, u64) {
    let disk = disk();
    let mut oracle = Oracle::default();
    live(&disk, plan, &mut oracle);
    (oracle.first_cleaning.expect("a cleaning"), disk.operations())
}

fn removed(oracle: &Oracle) -> usize {
    oracle.logs.values().map(|promise| promise.gone.len()).sum()
}

#[test]
fn every_cut_from_the_first_cleaning_on_in_every_state() {
    let (mut states, mut cleaned) = (0u64, 0);
    for seed in 1..3 {
        let plan = Plan { seed, partitions: 1, rounds: 9, wide: false, compacts: true };
        let (first, all) = first_cleaning(&plan);
        for at in first..all {
            cut(&plan, at, |disk, oracle| {
                cleaned = cleaned.max(removed(oracle));
                let changes = disk.unsynced_changes();
                for choice in 0..1u64 << changes.min(3) {
                    // All combinations where there are few, else many drawn by chance.
                    let drawn = CrashChoice::seeded(at * 100 + choice);
                    let mut choice = if changes <= 3 { CrashChoice::Bits(choice) } else { drawn };
                    oracle.check(&disk.crash(&mut choice));
                    states += 1;
                }
                oracle.check(&disk.crash(&mut CrashChoice::KeepNone));
                oracle.check(&disk.crash(&mut CrashChoice::KeepAll));
            });
        }
    }
    assert!(cleaned > 3, "hardly any cut came after a cleaning");
    assert!(states > 500, "hardly any state was looked at: {states}");
}

#[test]
fn cuts_of_longer_lives_with_cleanings_beside_deletions() {
    let mut cleaned = 0;
    for seed in 0..8 {
        let plan = Plan { seed, partitions: 3, rounds: 90, wide: true, compacts: true };
        let all = operations(&plan);
        for step in 0..30 {
            let at = all * step / 30 + seed % 7;
            cut(&plan, at, |disk, oracle| {
                cleaned = cleaned.max(removed(oracle));
                for choice in 0..3 {
                    oracle.check(&disk.crash(&mut CrashChoice::seeded(seed * 1000 + step * 10 + choice)));
                }
            });
        }
    }
    assert!(cleaned > 30, "hardly anything was cleaned: {cleaned}");
}

#[test]
fn lives_with_cleanings_follow_one_another() {
    let mut removed_by = BTreeMap::new();
    for seed in 0..30u64 {
        let mut disk = disk();
        let mut oracle = Oracle::default();
        for life in 0..7u64 {
            let wide = life % 2 == 0;
            let plan = Plan { seed: seed * 100 + life, partitions: 2, rounds: 45, wide, compacts: true };
            if life % 3 != 2 {
                disk.lose_power_after(60 + (seed * 37 + life * 101) % 900);
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
        removed_by.insert(seed, removed(&oracle));
    }
    let idle = removed_by.values().filter(|removed| **removed == 0).count();
    assert!(idle < 5, "cleanings removed nothing: {removed_by:?}");
}

#[test]
fn a_cleaning_on_a_full_or_failing_disk_is_given_up_and_loses_nothing() {
    let (mut begun, mut cleaned) = (0, 0);
    for seed in 0..30u64 {
        let disk = disk();
        let mut oracle = Oracle::default();
        disk.set_faults(Some(FaultPlan::new(move |kind, path, number| {
            let hits = number % 5 == seed % 5;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let output = name.ends_with(".log.tmp") || name.ends_with(".idx.tmp");
            let fault = match seed % 3 {
                0 => Fault::Full,
                1 => Fault::Short(70),
                _ => Fault::Io,
            };
            let kinds = [OpKind::Write, OpKind::SetSize, OpKind::Open, OpKind::Name];
            let fails = kinds.contains(&kind) || (kind == OpKind::Sync && seed % 3 == 2);
            (hits && output && fails).then_some(fault)
        })));
        live(&disk, &Plan { seed, partitions: 2, rounds: 60, wide: true, compacts: true }, &mut oracle);
        disk.set_faults(None);

        oracle.check(&disk.crash(&mut CrashChoice::KeepNone));
        oracle.check(&disk.crash(&mut CrashChoice::KeepAll));
        oracle.check(&disk.crash(&mut CrashChoice::seeded(seed)));
        begun += oracle.logs.values().filter(|promise| promise.cleaned_below > Offset::ZERO).count();
        cleaned += oracle.logs.values().filter(|promise| !promise.gone.is_empty()).count();
    }
    assert!(begun > 20 && cleaned > 0 && cleaned < begun, "{cleaned} of {begun} logs were cleaned");
}
