//! Chunks on local disk: who is served from there, and what crashes, damage and a full disk come to.

use std::path::Path;

use aquifer_cold::Shelf;
use aquifer_disk::{CrashChoice, Fault, FaultPlan, OpKind, SimDisk};

use super::*;

const PLENTY: u64 = 1 << 30;

fn folder() -> &'static Path {
    Path::new("/data/cold")
}

async fn open(tier: &Tier, disk: &SimDisk, bytes_max: u64) -> Cold {
    open_with(tier, disk, bytes_max, Limits::default()).await
}

async fn open_with(tier: &Tier, disk: &SimDisk, bytes_max: u64, limits: Limits) -> Cold {
    let shelf = Shelf::new(Arc::new(disk.clone()), folder().to_owned(), bytes_max);
    Cold::open(tier.store.clone(), limits, Some(shelf), &tier.runtime).await
}

/// Memory for a few chunks only, so that nearly everything that is read twice is fetched twice.
const SMALL: Limits = Limits { pool_bytes_max: CHUNK_BYTES as u64 * 4, fetches_max: 4 };

fn count(cold: &Cold, name: &str) -> u64 {
    cold.counters().all().into_iter().find(|(known, _)| *known == name).expect("a counter").1
}

fn chunks(tier: &Tier) -> u64 {
    tier.ranges.iter().map(|range| u64::from(range.bytes.div_ceil(CHUNK_BYTES))).sum()
}

/// Reads it all, as often as it takes until all chunks and footers are on disk.
async fn fill(tier: &Tier, cold: &Cold) {
    for _ in 0..50 {
        assert!(tier.read_all(cold).await == tier.log, "the very bytes");
        if count(cold, "disk_writes") >= chunks(tier) + 3 {
            return;
        }
        // Writers are tasks of this thread too.
        tier.runtime.sleep(Duration::from_millis(5)).await;
    }
    panic!("not everything comes to stand on disk: {:?}", cold.counters().all());
}

async fn without_objects(tier: &Tier) {
    for range in &tier.ranges {
        tier.store.delete(&PLACE.key(range)).await.expect("deleted");
    }
}

#[tokio::test]
async fn what_is_read_once_is_not_written_and_what_is_read_again_outlives_the_process() {
    let tier = Tier::new().await;
    let disk = SimDisk::default();
    let cold = open(&tier, &disk, PLENTY).await;
    assert!(tier.read_all(&cold).await == tier.log);
    assert_eq!(count(&cold, "disk_writes"), 0, "one reader alone");

    fill(&tier, &cold).await;
    without_objects(&tier).await;
    let before = tier.reads();
    assert!(tier.read_all(&cold).await == tier.log);
    drop(cold);
    let cold = open(&tier, &disk, PLENTY).await;
    assert!(tier.read_all(&cold).await == tier.log, "after a start");

    assert_eq!(tier.reads(), before, "the store was not asked");
    assert!(count(&cold, "disk_hits") > chunks(&tier));
    assert!(cold.counters().held_bytes() < 1 << 20, "nothing but footers passed through memory");
}

#[tokio::test]
async fn a_reader_at_any_offset_gets_nothing_before_it_and_goes_on_from_disk() {
    let tier = Tier::of(10_000).await;
    let disk = SimDisk::default();
    let cold = open(&tier, &disk, PLENTY).await;
    fill(&tier, &cold).await;
    without_objects(&tier).await;
    let size = tier.log.len() / (3 * BATCHES) as usize;
    for from in 0..3 * BATCHES {
        let cold = open(&tier, &disk, PLENTY).await;
        let (parts, next) = tier.read(&cold, from, 1 << 20).await.expect("readable");
        assert_eq!(parts.concat(), tier.log[from as usize * size..next as usize * size], "from {from}");
        if next % BATCHES != 0 {
            let (parts, after) = tier.read(&cold, next, 1 << 20).await.expect("readable");
            assert_eq!(parts.concat(), tier.log[next as usize * size..after as usize * size]);
            assert!(count(&cold, "disk_hits") > 0, "from {from} to {next}");
        }
    }
}

#[tokio::test]
async fn the_folder_stays_within_its_bound_and_is_emptied_when_it_is_switched_off() {
    let tier = Tier::new().await;
    let disk = SimDisk::default();
    let bound = u64::from(CHUNK_BYTES) * 3 + 100_000;
    let cold = open_with(&tier, &disk, bound, SMALL).await;
    for _ in 0..6 {
        assert!(tier.read_all(&cold).await == tier.log);
    }
    assert!(count(&cold, "disk_writes") > 3 && count(&cold, "disk_evicted") > 0);
    assert!(cold.counters().disk_held_bytes() <= bound);
    drop(cold);

    let cold = open(&tier, &disk, u64::from(CHUNK_BYTES)).await;
    assert!(
        cold.counters().disk_held_bytes() <= u64::from(CHUNK_BYTES),
        "a smaller bound holds from the start"
    );
    drop(cold);
    let cold = open(&tier, &disk, 0).await;
    assert!(disk.list(folder()).map_or(true, |entries| entries.is_empty()));
    assert!(tier.read_all(&cold).await == tier.log);
}

#[tokio::test]
async fn whoever_sends_from_a_chunk_that_makes_room_sends_the_right_bytes() {
    let tier = Tier::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = |bytes_max| Some(Shelf::new(Arc::new(RealDisk), folder.path().join("cold"), bytes_max));
    let cold = Cold::open(tier.store.clone(), Limits::default(), shelf(PLENTY), &tier.runtime).await;
    fill(&tier, &cold).await;
    let wanted = Wanted {
        place: PLACE,
        reader: 1,
        ranges: &tier.ranges,
        from: Offset(0),
        upto: Offset(3 * BATCHES),
        bytes_max: 1 << 20,
    };
    let Found::Ready { parts, .. } = cold.read(&wanted, None) else { panic!("it is on disk") };
    let Part::File { file, at, bytes } = parts[0].clone() else { panic!("a range of a file") };
    assert!(file.descriptor().is_some() && bytes > 16 << 10, "it can leave by sendfile");

    std::fs::remove_dir_all(folder.path().join("cold")).expect("everything made room");
    std::fs::create_dir(folder.path().join("cold")).expect("and was written anew");
    let mut sent = vec![0; usize::try_from(bytes).expect("small")];
    file.read_exact_at(at, &mut sent).expect("held open");

    assert!(sent == tier.log[..sent.len()]);
    assert!(tier.read_all(&cold).await == tier.log, "what is open still is");
    drop(cold);
    let cold = Cold::open(tier.store.clone(), Limits::default(), shelf(PLENTY), &tier.runtime).await;
    assert!(tier.read_all(&cold).await == tier.log);
}

#[tokio::test]
async fn after_a_power_cut_nothing_is_served_that_was_not_wholly_written() {
    let tier = Tier::new().await;
    let disk = SimDisk::default();
    let cold = open(&tier, &disk, PLENTY).await;
    fill(&tier, &cold).await;
    let mut refused = 0;
    for seed in 0..20 {
        let crashed = disk.crash(&mut CrashChoice::seeded(seed));
        let cold = open(&tier, &crashed, PLENTY).await;
        assert!(tier.read_all(&cold).await == tier.log, "seed {seed}");
        refused += count(&cold, "disk_failures");
    }
    assert!(refused > 0, "no power cut left anything half written");
}

#[tokio::test]
async fn a_damaged_chunk_is_fetched_anew() {
    let tier = Tier::new().await;
    let disk = SimDisk::default();
    let cold = open(&tier, &disk, PLENTY).await;
    fill(&tier, &cold).await;
    drop(cold);
    let crashed = disk.crash(&mut CrashChoice::KeepAll);
    let entries = crashed.list(folder()).expect("listed");
    for entry in &entries {
        crashed.flip_bit(&folder().join(&entry.name), 100);
    }

    let before = tier.reads();
    let cold = open(&tier, &crashed, PLENTY).await;

    assert!(tier.read_all(&cold).await == tier.log);
    assert!(tier.reads() - before >= entries.len() as u64, "each of them");
}

#[tokio::test]
async fn a_disk_that_is_full_or_broken_is_nobodys_concern_who_reads() {
    let tier = Tier::new().await;
    let refusals: [fn(OpKind) -> Option<Fault>; 3] = [
        |kind| (kind == OpKind::Write).then_some(Fault::Full),
        |kind| (kind == OpKind::Write).then_some(Fault::Short(1_000)),
        |kind| matches!(kind, OpKind::Name | OpKind::Open).then_some(Fault::Io),
    ];
    for refusal in refusals {
        let disk = SimDisk::default();
        let cold = open(&tier, &disk, PLENTY).await;
        disk.set_faults(Some(FaultPlan::new(move |kind, _, _| refusal(kind))));
        for _ in 0..3 {
            assert!(tier.read_all(&cold).await == tier.log);
        }
        drop(cold);
        let cold = open(&tier, &disk, PLENTY).await;
        assert!(tier.read_all(&cold).await == tier.log, "and after a start");
    }

    let disk = SimDisk::default();
    let cold = open(&tier, &disk, PLENTY).await;
    fill(&tier, &cold).await;
    drop(cold);
    let cold = open(&tier, &disk, PLENTY).await;
    disk.set_faults(Some(FaultPlan::new(|kind, _, _| (kind == OpKind::Read).then_some(Fault::Io))));
    assert!(tier.read_all(&cold).await == tier.log, "what cannot be read back is fetched");
    assert!(count(&cold, "disk_failures") > 0 && count(&cold, "disk_hits") == 0);

    // Full of other things: what is there makes room for them.
    let disk = SimDisk::default();
    let cold = open(&tier, &disk, PLENTY).await;
    fill(&tier, &cold).await;
    let held = cold.counters().disk_held_bytes();
    disk.set_capacity(Some(held + (4 << 20)));
    cold.yield_space().await;
    assert_eq!(cold.counters().disk_held_bytes(), 0);
    assert!(disk.list(folder()).expect("listed").is_empty());
    assert!(tier.read_all(&cold).await == tier.log);
}
