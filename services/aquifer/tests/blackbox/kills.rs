//! A hundred times SIGKILL under load: no acknowledged record is lost, doubled or out of order.

use std::time::Duration;

use aquifer_runtime::Runtime;

use crate::harness::{Node, Ports, data_dir, sleep};
use crate::verified::Verified;

const KILLS: u64 = 100;
/// Small, so that its files are used again and again; as small segments are rolled again and again.
const SMALL_WAL: &str = "[wal]\nbytes = 8388608\n";
const SMALL_SEGMENTS: (&str, &str) = ("segment.bytes", "1048576");

#[test]
fn a_hundred_kills_under_load_lose_double_and_reorder_nothing() {
    let (data, ledgers, ports) = (data_dir(), data_dir(), Ports::free());
    let random = Runtime::real();
    let begin = || Node::begin_server(data.path(), ports, SMALL_WAL);
    let mut node = begin().ready();
    // What is written to the page cache alone survives the process, if not the machine.
    let page_cache = [("aquifer.durability", "page-cache"), SMALL_SEGMENTS];
    let load = [
        Verified::start(&node.kafka, "flushed", Some(&[SMALL_SEGMENTS]), ledgers.path()),
        Verified::start(&node.kafka, "page-cache", Some(&page_cache), ledgers.path()),
    ];

    for kill in 0..KILLS {
        sleep(Duration::from_millis(100 + random.random_u64() % 400));
        node.kill();
        // Besides those under load, some that interrupt the recovery from the one before.
        if kill % 4 == 0 {
            let recovering = begin();
            sleep(Duration::from_millis(random.random_u64() % 120));
            recovering.kill();
        }
        node = begin().ready();
    }

    for topic in load {
        let acknowledged = topic.stop().check(&node.kafka);
        assert!(acknowledged > 100 * KILLS, "hardly any load: {acknowledged} records");
        eprintln!("{acknowledged} acknowledged records lived through {KILLS} kills");
    }
}
