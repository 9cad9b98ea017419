//! Objects of the tier: small ones are put together, and damaged ones are made anew.

use std::path::Path;

use crate::harness::{Node, data_dir, skip_without};
use crate::restore::{data_objects, fsck, start};
use crate::tier::{FLUSH, create, delete_before, lines, partition, produce, read, wait};

const QUICK: &str = "max_age = \"1s\"\ngrace = \"1s\"\nstate_interval = \"1s\"\nscrub = \"1s\"\n";

pub(crate) fn metric(node: &Node, name: &str) -> u64 {
    let (_, text) = node.get("/metrics").expect("metrics");
    let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).expect("it is there");
    line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).expect("a number") as u64
}

/// A part of a round, which is small.
fn some(round: usize) -> String {
    lines(round).lines().take(600).map(|line| format!("{line}\n")).collect()
}

fn flip(path: &Path, back: usize) {
    let mut bytes = std::fs::read(path).expect("an object");
    let at = bytes.len() - back;
    bytes[at] ^= 1;
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn small_objects_become_one_while_readers_go_on_and_damaged_ones_are_made_anew() {
    if skip_without("kcat") {
        return;
    }
    let (folder, bucket) = (data_dir(), data_dir());
    let node = start(folder.path(), bucket.path(), QUICK);
    // Objects are put together up to an eighth of what is kept.
    create(&node, &[("local.retention.bytes", "-2"), ("retention.bytes", "2400000")]);
    let rounds = 16;
    for round in 0..rounds {
        produce(&node, &some(round), "none");
        partition(&node, FLUSH);
    }
    let expected: String = (0..rounds).map(some).collect();
    wait("small objects are put together, and the bucket holds no others", || {
        assert_eq!(read(&node, "beginning"), expected);
        // What was replaced goes once the state in the bucket, which a flush writes, names what took its place.
        let objects = usize::try_from(partition(&node, FLUSH).objects).expect("a number");
        objects < rounds && data_objects(bucket.path()).len() == objects
    });
    wait("the state in the bucket has them too", || fsck(bucket.path(), &["--deep"]).0);

    let all = data_objects(bucket.path());
    std::fs::remove_file(&all[0]).expect("removed");
    flip(&all[1], 100);
    let repaired = || metric(&node, "aquifer_tier_repaired_objects_total");
    wait("both are made anew", || repaired() >= 2);
    assert_eq!(metric(&node, "aquifer_tier_damaged_objects"), 0);
    wait("the bucket is whole", || {
        partition(&node, FLUSH);
        fsck(bucket.path(), &["--deep"]).0
    });
    assert_eq!(read(&node, "beginning"), expected);
    delete_before(&node, 600);
    assert!(node.is_ready());
}

#[test]
fn damage_of_which_local_disk_has_no_copy_is_told() {
    if skip_without("kcat") {
        return;
    }
    let (folder, bucket) = (data_dir(), data_dir());
    let node = start(folder.path(), bucket.path(), QUICK);
    create(&node, &[]);
    produce(&node, &lines(0), "none");
    partition(&node, FLUSH);
    wait("local records are dropped", || {
        let state = partition(&node, 0);
        state.local_start == state.high_watermark
    });
    wait("all is looked at", || metric(&node, "aquifer_tier_scrubbed_objects_total") > 0);
    assert_eq!(metric(&node, "aquifer_tier_damaged_objects"), 0);

    std::fs::remove_file(&data_objects(bucket.path())[0]).expect("removed");

    wait("it is told", || metric(&node, "aquifer_tier_damaged_objects") == 1);
    assert_eq!(metric(&node, "aquifer_tier_repaired_objects_total"), 0);
}
