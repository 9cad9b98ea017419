//! Every cut of a run over recycled files, with every (or many) power cuts each: what was acknowledged comes back.

use std::path::Path;

use aquifer_disk::{CrashChoice, SimDisk};
use aquifer_types::{DirectoryId, Uuid};

use crate::{Group, Settings, Wal, WalError};

const DIRECTORY: DirectoryId = DirectoryId(Uuid::from_bytes([9; 16]));
const SETTINGS: Settings = Settings { first_slot_bytes: 8192, slot_bytes: 12288, slots_max: 3 };

/// What the writer was told, by record number.
#[derive(Clone, Copy, Debug, Default)]
struct Oracle {
    /// Records below this may be missing: their files were freed.
    freed: u64,
    acknowledged: u64,
    pushed: u64,
}

fn folder() -> &'static Path {
    Path::new("/data/wal")
}

fn disk() -> SimDisk {
    let disk = SimDisk::default();
    aquifer_disk::Disk::create_dir(&disk, Path::new("/data")).unwrap();
    aquifer_disk::Disk::sync_dir(&disk, Path::new("/")).unwrap();
    disk
}

fn replay(disk: &SimDisk) -> Result<(Wal, Vec<u64>), WalError> {
    let mut found = Vec::new();
    let wal = Wal::open(disk, folder(), DIRECTORY, SETTINGS, &mut |record| {
        assert_eq!(record.kind, 7);
        found.push(u64::from_le_bytes(record.payload[..8].try_into().unwrap()));
    })?;
    Ok((wal, found))
}

/// Writes groups of one or two records until `last`, freeing old files as it goes; stops where the power goes.
fn run(disk: &SimDisk, oracle: &mut Oracle, last: u64) -> Option<()> {
    let (mut wal, found) = replay(disk).ok()?;
    let mut first_in = vec![(wal.generation(), found.first().copied().unwrap_or(oracle.pushed))];
    let mut group = Group::with_capacity(64);
    while oracle.pushed < last {
        group.clear();
        for _ in 0..1 + oracle.pushed % 2 {
            let padding = vec![0xee; (oracle.pushed as usize * 977) % 5000];
            group.push(7, &[&oracle.pushed.to_le_bytes(), &padding]);
            oracle.pushed += 1;
        }
        let placement = loop {
            if let Ok(placement) = wal.seal(&mut group) {
                break placement;
            }
            if let Some(slot) = wal.wanted() {
                wal.add(slot.create(disk).ok()?);
                continue;
            }
            let live = wal.live_generations();
            let oldest = live[0];
            assert_ne!([oldest], live[..], "the log is full of nothing");
            let next_first = first_in.iter().find(|(generation, _)| *generation > oldest);
            oracle.freed = next_first.map_or(oracle.acknowledged, |(_, first)| *first);
            let floor = wal.floor_below(oldest + 1);
            floor.write(disk, folder()).ok()?;
            wal.free_below(floor);
        };
        if first_in.last().is_none_or(|(generation, _)| *generation != placement.generation) {
            first_in.push((placement.generation, oracle.acknowledged));
        }
        placement.write(&group).ok()?;
        oracle.acknowledged = oracle.pushed;
    }
    Some(())
}

fn check(after: &SimDisk, oracle: Oracle) {
    let (_, found) = replay(after).expect("a power cut is no corruption");
    let first = found.first().copied().unwrap_or(oracle.acknowledged);
    assert!(first <= oracle.freed || oracle.acknowledged == oracle.freed, "{oracle:?} {found:?}");
    assert!(found.windows(2).all(|pair| pair[1] == pair[0] + 1), "{oracle:?} {found:?}");
    let end = found.last().map_or(oracle.freed, |last| last + 1);
    assert!(end >= oracle.acknowledged, "acknowledged records are gone: {oracle:?} {found:?}");
    assert!(end <= oracle.pushed, "records that were never pushed: {oracle:?} {found:?}");
}

#[test]
fn acknowledged_records_survive_every_power_cut() {
    let whole = disk();
    run(&whole, &mut Oracle::default(), 24).expect("nothing fails");
    for cut in 0..whole.operations() {
        let disk = disk();
        let mut oracle = Oracle::default();
        disk.lose_power_after(cut);
        run(&disk, &mut oracle, 24);
        let states = 1u64 << disk.unsynced_changes().min(6);
        for bits in 0..states {
            check(&disk.crash(&mut CrashChoice::Bits(bits)), oracle);
        }
        for seed in 0..8 {
            check(&disk.crash(&mut CrashChoice::seeded(cut * 100 + seed)), oracle);
        }
    }
}

#[test]
fn a_run_goes_on_after_a_power_cut_and_another() {
    for seed in 0..150u64 {
        let mut disk = disk();
        let mut oracle = Oracle::default();
        for life in 0..4 {
            disk.lose_power_after(5 + (seed * 31 + life * 17) % 60);
            if run(&disk, &mut oracle, 60).is_some() {
                break;
            }
            disk = disk.crash(&mut CrashChoice::seeded(seed * 10 + life));
            check(&disk, oracle);
            let (_, found) = replay(&disk).expect("a power cut is no corruption");
            let end = found.last().map_or(oracle.freed, |last| last + 1);
            oracle = Oracle { acknowledged: end.max(oracle.freed), pushed: end.max(oracle.freed), ..oracle };
        }
    }
}

#[test]
fn damage_is_corruption_where_a_later_group_is_whole_and_a_torn_tail_at_the_end() {
    let disk = disk();
    let (mut wal, _) = replay(&disk).unwrap();
    let mut group = Group::with_capacity(64);
    for number in 0..2u64 {
        group.clear();
        group.push(7, &[&number.to_le_bytes(), &[1; 3000]]);
        wal.seal(&mut group).unwrap().write(&group).unwrap();
    }
    let path = folder().join("0000.wal");

    disk.flip_bit(&path, 200);
    assert!(matches!(replay(&disk), Err(WalError::Corrupt { at: 0, .. })));
    disk.flip_bit(&path, 200);

    disk.flip_bit(&path, 4096 + 200);
    assert_eq!(replay(&disk).unwrap().1, [0]);
}

#[test]
fn damage_at_the_head_of_a_file_between_two_others_is_corruption() {
    let disk = disk();
    run(&disk, &mut Oracle::default(), 12).expect("nothing fails");

    disk.flip_bit(&folder().join("0001.wal"), 3);

    assert!(matches!(replay(&disk), Err(WalError::Corrupt { .. })));
}

#[test]
fn another_directorys_file_is_refused() {
    let disk = disk();
    run(&disk, &mut Oracle::default(), 2).expect("nothing fails");

    let other = DirectoryId(Uuid::from_bytes([1; 16]));
    let opened = Wal::open(&disk, folder(), other, SETTINGS, &mut |_| {});

    assert!(matches!(opened, Err(WalError::Foreign { found: DIRECTORY, .. })));
}
