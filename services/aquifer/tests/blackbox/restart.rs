//! Ending a node, kindly and not: what was acknowledged is there afterwards.

use crate::harness::{Node, data_dir, run_ok, skip_without};

fn read_all(node: &Node, topic: &str) -> String {
    run_ok("kcat", &["-b", &node.kafka, "-C", "-t", topic, "-o", "beginning", "-e", "-q"], "")
}

#[test]
fn records_survive_kill_and_termination_alike() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    let mut expected = String::new();
    for life in 0..6 {
        let node = Node::start(data.path());
        if life > 0 {
            assert_eq!(read_all(&node, "lives"), expected, "life {life}");
        }
        let lines: String = (0..300).map(|n| format!("life {life} line {n}\n")).collect();
        run_ok("kcat", &["-b", &node.kafka, "-P", "-t", "lives"], &lines);
        expected.push_str(&lines);
        if life % 2 == 0 {
            node.kill();
        } else {
            assert!(node.terminate().success());
        }
    }
}

#[test]
fn a_second_process_is_kept_out_of_the_data_directory() {
    let data = data_dir();
    let _first = Node::start(data.path());

    let second = crate::harness::run(
        env!("CARGO_BIN_EXE_aquifer"),
        &["dev", "--data-dir", data.path().to_str().expect("text"), "--kafka-port", "0", "--http-port", "0"],
        "",
    );

    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another process uses"), "{said}");
}
