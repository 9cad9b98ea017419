//! Power cuts of real file systems under load: what was acknowledged as flushed is there after the log's replay.

use std::time::Duration;

use aquifer_runtime::Runtime;

use crate::harness::{Node, data_dir, skip_without, sleep};
use crate::mounted::{Mounted, skip_without_mounts};
use crate::verified::Verified;

const CUTS: u64 = 5;

fn cut_again_and_again(kind: &str) {
    if skip_without("xfs_io") || skip_without(&format!("mkfs.{kind}")) {
        return;
    }
    let mounted = match Mounted::new(kind, 512) {
        Ok(mounted) => mounted,
        Err(reason) => return skip_without_mounts(&reason),
    };
    let (ledgers, random, data) = (data_dir(), Runtime::real(), mounted.path().join("data"));
    std::fs::create_dir(&data).expect("a folder");
    let mut checked = 0;
    for cut in 0..CUTS {
        let node = Node::start(&data);
        let load = Verified::start(&node.kafka, "flushed", (cut == 0).then_some(&[]), ledgers.path());
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
