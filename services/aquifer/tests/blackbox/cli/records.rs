//! Records in and out.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use serde_json::json;

use super::run::{AQUIFER, arguments, ok};
use crate::harness::{Node, data_dir, run, run_ok, skip_without};

#[test]
fn records_go_from_topic_to_topic_as_ndjson_and_lose_nothing() {
    let data = data_dir();
    let node = Node::server(data.path());
    for topic in ["from", "to"] {
        ok(&node, &["topic", "create", topic, "-p", "3"], "");
    }
    let lines = [
        json!({"key": "k", "value": "text \u{1f980} \n", "headers": [{"key": "h", "value": "1"}, {"key": "h", "value": null}]}),
        json!({"key": "k", "value": null, "headers": [], "partition": 1}),
        json!({"value_base64": "/wD+", "key_base64": "gA==", "headers": [{"key": "b", "value_base64": "/w=="}], "partition": 2}),
        json!({"value": "", "timestamp": 1_700_000_000_000_i64, "headers": [], "partition": 0}),
    ];
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();

    ok(&node, &["produce", "from", "--input", "ndjson"], &input);
    let first = ok(&node, &["consume", "from", "--exit", "-o", "ndjson"], "");
    ok(&node, &["produce", "to", "--input", "ndjson", "-z", "zstd"], &first);
    let second = ok(&node, &["consume", "to", "--exit", "-o", "ndjson"], "");

    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(|line| line.replace("\"to\"", "\"from\"")).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&first).len(), 4);
    assert_eq!(sorted(&second), sorted(&first));
    assert!(first.contains(r#""value":null,"value_base64":"/wD+""#), "{first}");
}

#[test]
fn kcat_and_we_write_the_same_of_the_same_records() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    let node = Node::server(data.path());
    ok(&node, &["topic", "create", "demo", "-p", "1"], "");
    ok(&node, &["produce", "demo", "-K", ":", "-H", "a=1", "-H", "b=2", "-Z"], "k:v\n:no key\nk2:\n");
    let kcat =
        run_ok("kcat", &["-b", &node.kafka, "-t", "demo", "-P", "-K", ":", "-H", "c=3"], "from:kcat\n");
    assert_eq!(kcat, "");
    let format = r"%t %p %o %k(%K) %s(%S) %T %h\n";

    let ours = ok(&node, &["consume", "demo", "--exit", "-f", format], "");
    let theirs = run_ok(
        "kcat",
        &["-b", &node.kafka, "-t", "demo", "-C", "-o", "beginning", "-e", "-q", "-f", format],
        "",
    );

    assert_eq!(ours, theirs);
    assert_eq!(ours.lines().count(), 4);
}

#[test]
fn places_are_understood_as_they_are_written() {
    let data = data_dir();
    let node = Node::server(data.path());
    ok(&node, &["topic", "create", "demo", "-p", "1"], "");
    let lines: String = (0..20).map(|number| format!("{number}\n")).collect();
    ok(&node, &["produce", "demo"], &lines);

    for (from, first) in
        [("earliest", 0), ("latest", 20), ("7", 7), ("-3", 17), ("-99", 0), ("@-1h", 0), ("@2099-01-01", 20)]
    {
        let read = ok(&node, &["consume", "demo", "--exit", "--from", from], "");
        let expected: String = (first..20).map(|number| format!("{number}\n")).collect();
        assert_eq!(read, expected, "{from}");
    }
    assert_eq!(ok(&node, &["consume", "demo", "--from", "5", "-n", "2"], ""), "5\n6\n");
}

#[test]
fn records_are_written_as_they_come_and_an_interrupt_ends_it() {
    let data = data_dir();
    let node = Node::server(data.path());
    ok(&node, &["topic", "create", "demo", "-p", "1"], "");
    let mut following = Command::new(AQUIFER)
        .args(arguments(&node, &["consume", "demo", "--follow"]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut read = BufReader::new(following.stdout.take().expect("piped"));

    let mut seen = String::new();
    for word in ["one", "two"] {
        ok(&node, &["produce", "demo", "--value", word], "");
        read.read_line(&mut seen).expect("a line");
    }
    let pid = following.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    let status = following.wait().expect("it ran");

    assert_eq!(seen, "one\ntwo\n");
    assert_eq!(status.code(), Some(130));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let data = data_dir();
    let node = Node::server(data.path());
    ok(&node, &["topic", "create", "demo", "-p", "1"], "");
    let lines: String = (0..200_000).map(|number| format!("{number:090}\n")).collect();
    ok(&node, &["produce", "demo"], &lines);

    let mut child = Command::new(AQUIFER)
        .args(arguments(&node, &["consume", "demo"]))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut first = [0; 91];
    child.stdout.take().expect("piped").read_exact(&mut first).expect("a line");

    assert_eq!(first[..], format!("{:090}\n", 0).into_bytes()[..]);
    assert!(child.wait().expect("it ran").success());
}

#[test]
fn a_dry_run_reads_everything_and_sends_nothing() {
    let data = data_dir();
    let node = Node::server(data.path());
    ok(&node, &["topic", "create", "demo", "-p", "1"], "");

    let said = ok(&node, &["produce", "demo", "--dry-run", "-o", "json"], "a\nb\n");
    let wrong = run(
        AQUIFER,
        &arguments(&node, &["produce", "demo", "--dry-run", "--input", "ndjson"]),
        "{\"value\":1}\n[]\n",
    );

    assert_eq!(said, "{\"topic\":\"demo\",\"records\":2,\"bytes\":2,\"dry_run\":true}\n");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("line 2 of standard input"));
    assert_eq!(ok(&node, &["consume", "demo", "--exit"], ""), "");
}
