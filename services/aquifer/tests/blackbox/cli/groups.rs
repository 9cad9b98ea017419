//! Groups: reading as one, lag, moving offsets, refusing while members read.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;

use super::run::{AQUIFER, arguments, json as said, ok, refused};
use crate::harness::{Node, data_dir, pause, skip_without};

#[test]
fn a_group_goes_on_where_it_stopped_and_where_it_is_put() {
    let data = data_dir();
    let node = Node::server(data.path());
    ok(&node, &["topic", "create", "orders", "-p", "1"], "");
    ok(&node, &["produce", "orders"], "0\n1\n2\n3\n4\n5\n");
    let consume = |more: &[&str]| ok(&node, &[&["consume", "orders", "-g", "billing"], more].concat(), "");

    let first = consume(&["-n", "2"]);
    let peek = consume(&["--exit", "--no-commit"]);
    let lag = said(&node, &["group", "lag", "billing"]);
    let preview = said(&node, &["group", "reset", "billing", "--to", "-1"]);
    let same = said(&node, &["group", "lag", "billing"]);
    said(&node, &["group", "reset", "billing", "--to", "-1", "--execute"]);
    let last = consume(&["--exit"]);
    let listed = said(&node, &["group", "list"]);
    said(&node, &["group", "delete-offsets", "billing", "--topic", "orders"]);
    said(&node, &["group", "delete", "billing"]);
    let gone = refused(&node, &["group", "describe", "billing"]);

    assert_eq!((first.as_str(), peek.as_str(), last.as_str()), ("0\n1\n", "2\n3\n4\n5\n", "5\n"));
    assert_eq!((&lag[0]["offset"], &lag[0]["end"], &lag[0]["lag"]), (&json!(2), &json!(6), &json!(4)));
    assert_eq!((&preview[0]["before"], &preview[0]["offset"]), (&json!(2), &json!(5)));
    assert_eq!((&preview[0]["again"], &preview[0]["dry_run"]), (&json!(-3), &json!(true)));
    assert_eq!(same, lag);
    assert_eq!((&listed[0]["group"], &listed[0]["kind"]), (&json!("billing"), &json!("consumer")));
    assert_eq!((gone.0, &gone.1["code"]), (3, &json!("not_found")));
}

#[test]
fn what_nobody_took_is_not_committed() {
    // Far more than a pipe and what stands before it hold.
    const RECORDS: usize = 200_000;
    let data = data_dir();
    let node = Node::server(data.path());
    ok(&node, &["topic", "create", "orders", "-p", "1"], "");
    let lines: String = (0..RECORDS).map(|number| format!("{number:0100}\n")).collect();
    ok(&node, &["produce", "orders"], &lines);
    let mut member = Command::new(AQUIFER)
        .args(arguments(&node, &["consume", "orders", "-g", "billing"]))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");

    let mut first = String::new();
    BufReader::new(member.stdout.take().expect("piped")).read_line(&mut first).expect("a line");
    let status = member.wait().expect("it ran");
    let lag = said(&node, &["group", "lag", "billing"]);
    let again = ok(&node, &["consume", "orders", "-g", "billing", "--exit"], "");

    assert!(status.success(), "whoever reads no more has seen enough: {status}");
    assert_eq!((first.as_str(), &lag[0]["offset"]), (&lines[..first.len()], &json!(0)));
    assert_eq!(again.lines().count(), RECORDS);
}

#[test]
fn offsets_of_a_group_that_reads_are_left_alone() {
    let data = data_dir();
    let node = Node::server(data.path());
    ok(&node, &["topic", "create", "orders", "-p", "1"], "");
    let mut member = Command::new(AQUIFER)
        .args(arguments(&node, &["consume", "orders", "-g", "billing"]))
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut groups = said(&node, &["group", "list"]);
    while groups[0]["state"] != "Stable" {
        pause();
        groups = said(&node, &["group", "list"]);
    }

    let reset =
        refused(&node, &["group", "reset", "billing", "--topic", "orders", "--to", "latest", "--execute"]);
    let deleted = refused(&node, &["group", "delete", "billing"]);
    let pid = member.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    let status = member.wait().expect("it ran");
    let left = said(&node, &["group", "describe", "billing"]);

    for (code, error) in [reset, deleted] {
        assert_eq!((code, &error["code"]), (4, &json!("refused")), "{error}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains("aquifer-cli")), "{error}");
    }
    assert_eq!(status.code(), Some(130));
    assert_eq!(left["members"], json!([]), "one that is interrupted leaves its group");
}

#[test]
fn a_group_of_classic_consumers_shows_what_they_read() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    let node = Node::server(data.path());
    ok(&node, &["topic", "create", "orders", "-p", "3"], "");
    let mut member = Command::new("kcat")
        .args(["-b", &node.kafka, "-G", "classics", "orders"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut groups = said(&node, &["group", "list"]);
    while groups[0]["state"] != "Stable" {
        pause();
        groups = said(&node, &["group", "list"]);
    }

    let described = said(&node, &["group", "describe", "classics"]);
    let lag = said(&node, &["group", "lag", "classics"]);
    member.kill().expect("it runs");
    member.wait().expect("it ran");

    assert_eq!(described["kind"], "classic");
    assert_eq!(described["members"][0]["client"], "rdkafka");
    assert_eq!(described["members"][0]["assigned"], json!({"orders": [0, 1, 2]}));
    assert!(lag.as_array().is_some_and(|lags| lags.iter().all(|lag| lag["client"] == "rdkafka")), "{lag}");
}
