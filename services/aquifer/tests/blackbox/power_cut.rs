//! Power cuts of real file systems under load: what was acknowledged as flushed is there after the log's replay.

use std::time::Duration;

use aquifer_runtime::Runtime;

use crate::harness::{Node, data_dir, skip_without, sleep};
use crate::mounted::{Mounted, skip_without_mounts};
use crate::verified::Verified;

const CUTS: u64 = 6;
/// So that segments are rolled between cuts.
const SMALL_SEGMENTS: (&str, &str) = ("segment.bytes", "1048576");

/// A file system to cut the power of; nothing where that cannot be.
fn mounted(kind: &str) -> Option<Mounted> {
    if skip_without("xfs_io") || skip_without(&format!("mkfs.{kind}")) {
        return None;
    }
    Mounted::new(kind, 512).map_err(|reason| skip_without_mounts(&reason)).ok()
}

fn cut_again_and_again(kind: &str) {
    let Some(mounted) = mounted(kind) else { return };
    let (ledgers, random, data) = (data_dir(), Runtime::real(), mounted.path().join("data"));
    std::fs::create_dir(&data).expect("a folder");
    let mut checked = 0;
    for cut in 0..CUTS {
        let node = Node::start(&data);
        let load =
            Verified::start(&node.kafka, "flushed", (cut == 0).then_some(&[SMALL_SEGMENTS]), ledgers.path());
        sleep(Duration::from_millis(400 + random.random_u64() % 800));

        mounted.cut_power();

        // A while without power, in which nothing more may be acknowledged.
        sleep(Duration::from_millis(100));
        node.kill();
        let noted = load.stop();
        mounted.come_back();
        let node = Node::start(&data);
        let acknowledged = noted.check(&node.kafka);
        assert!(acknowledged > checked, "nothing was acknowledged before cut {cut}");
        checked = acknowledged;
        node.kill();
    }
    eprintln!("{checked} acknowledged records lived through {CUTS} power cuts of {kind}");
}

#[test]
fn power_cuts_of_xfs_under_load_lose_nothing_acknowledged() {
    cut_again_and_again("xfs");
}

#[test]
fn power_cuts_of_ext4_under_load_lose_nothing_acknowledged() {
    cut_again_and_again("ext4");
}

#[test]
fn a_power_cut_takes_what_was_in_the_page_cache_alone() {
    let Some(mounted) = mounted("ext4") else { return };
    let (ledgers, data) = (data_dir(), mounted.path().join("data"));
    std::fs::create_dir(&data).expect("a folder");
    let node = Node::start(&data);
    let page_cache = [("aquifer.durability", "page-cache")];
    let load = Verified::start(&node.kafka, "page-cache", Some(&page_cache), ledgers.path());
    sleep(Duration::from_millis(500));

    mounted.cut_power();

    node.kill();
    let noted = load.stop();
    mounted.come_back();
    let node = Node::start(&data);
    // The proof that the cuts above are cuts, and that the check would have seen a loss.
    let findings = noted.findings(&node.kafka);
    assert!(findings.violations.iter().any(|violation| violation.contains("lost")), "{findings}");
}
