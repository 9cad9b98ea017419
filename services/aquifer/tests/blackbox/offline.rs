//! `aquifer log verify` and `dump` on the directories of stopped and killed nodes, sound and damaged.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::harness::{Node, data_dir, run, run_ok, skip_without};

const PROGRAM: &str = env!("CARGO_BIN_EXE_aquifer");

fn produce(node: &Node, from: usize, count: usize) {
    let lines: String = (from..from + count).map(|number| format!("key-{number}:value-{number}\n")).collect();
    run_ok("kcat", &["-b", &node.kafka, "-t", "seen", "-P", "-K:", "-X", "linger.ms=0"], &lines);
}

fn segment(data_dir: &Path) -> PathBuf {
    let topic = std::fs::read_dir(data_dir.join("partitions")).expect("a folder").next().expect("a topic");
    topic.expect("readable").path().join("0").join("00000000000000000000-0.log")
}

#[test]
fn a_stopped_node_is_verified_and_dumped_and_damage_is_named() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    let dir = data.path().to_str().expect("text");
    let node = Node::start(data.path());
    produce(&node, 0, 10);

    let busy = run(PROGRAM, &["log", "verify", dir], "");
    assert!(!busy.status.success());
    assert!(String::from_utf8_lossy(&busy.stderr).contains("stop it first"), "{busy:?}");

    // A kill leaves the last records to the write-ahead log and the page cache.
    node.kill();
    let said = run_ok(PROGRAM, &["log", "verify", dir], "");
    assert!(said.contains("ok       seen-0  offsets 0 to 10, 10 records"), "{said}");
    assert!(said.contains("did not stop as it should"), "{said}");

    let node = Node::start(data.path());
    produce(&node, 10, 5);
    assert!(node.terminate().success());
    let said = run_ok(PROGRAM, &["log", "verify", dir, "-o", "ndjson"], "");
    assert!(said.contains(r#""end":15"#) && said.contains(r#""problems":[]"#), "{said}");
    assert!(said.contains(r#""clean":true"#), "{said}");

    let said = run_ok(PROGRAM, &["log", "dump", dir, "--topic", "seen", "--records", "--from", "12"], "");
    assert!(said.contains(r#"key "key-14"  value "value-14""#), "{said}");
    assert!(!said.contains("key-9"), "{said}");
    let unknown = run(PROGRAM, &["log", "dump", dir, "--topic", "nobody"], "");
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no topic nobody"), "{unknown:?}");

    let file = std::fs::OpenOptions::new().write(true).open(segment(data.path())).expect("a segment");
    file.write_all_at(b"damage", 70).expect("written");
    let damaged = run(PROGRAM, &["log", "verify", dir], "");
    let said = String::from_utf8_lossy(&damaged.stdout);
    assert!(!damaged.status.success());
    assert!(said.contains("DAMAGED  seen-0") && said.contains("checksum"), "{said}");
}

#[test]
fn what_is_no_data_directory_is_refused() {
    let empty = data_dir();
    let refused = run(PROGRAM, &["log", "verify", empty.path().to_str().expect("text")], "");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is no data directory"), "{refused:?}");
    assert!(!refused.status.success());
}
