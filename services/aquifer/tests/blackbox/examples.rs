//! The README's examples, executed as they stand there, but for the port.

use std::path::Path;
use std::process::Command;

use crate::harness::{Node, data_dir, skip_without};
use crate::install::installed;

/// The fenced block below an example's marker, and its language.
fn example(name: &str) -> (String, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(path).expect("the README");
    let marker = format!("<!-- example: {name} -->\n```");
    let (_, rest) = readme.split_once(&marker).expect("the README has this example");
    let (language, rest) = rest.split_once('\n').expect("a block");
    let (block, _) = rest.split_once("\n```\n").expect("the block ends");
    (language.to_owned(), block.to_owned())
}

/// Runs an example in a folder of its own against a fresh development node; what it printed.
fn run(name: &str, environment: &[(&str, &Path)]) -> String {
    let (data, folder) = (data_dir(), data_dir());
    let node = Node::start(data.path());
    let (language, block) = example(name);
    let block = block.replace("127.0.0.1:9092", &node.kafka).replace("127.0.0.1:8080", &node.http);
    let speaks_to_it =
        block.contains(&node.kafka) || block.contains(&node.http) || block.starts_with("aquifer ");
    assert!(speaks_to_it, "{name} talks to another node");
    let mut command = Command::new("timeout");
    command.arg("120");
    match language.as_str() {
        "sh" => command.args(["bash", "-euo", "pipefail", "-c", &block]),
        "python" => command.args(["python3", "-c", &block]),
        other => panic!("examples in {other} are not run"),
    };
    command.current_dir(folder.path()).envs(environment.iter().copied());
    // As the alias and the default address would have it.
    let program = Path::new(env!("CARGO_BIN_EXE_aquifer")).parent().expect("a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", program.display())).env("AQUIFER_BROKERS", &node.kafka);
    let output = command.output().expect("timeout runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}\n{printed}{complaints}", output.status);
    printed
}

#[test]
fn the_command_line_does_what_it_shows() {
    let printed = run("command line", &[]);

    let tail: Vec<&str> = printed.lines().filter(|line| line.split(' ').count() == 3).collect();
    assert!(
        tail.iter().any(|line| line.ends_with(" 1000")),
        "the last value is among the last ten: {printed}"
    );
    let records = printed.lines().filter(|line| line.starts_with("{\"topic\":\"orders\"")).count();
    assert_eq!(records, 100, "{printed}");
}

#[test]
fn rsyslog_ships_logs() {
    if skip_without("rsyslogd") || skip_without("kcat") {
        return;
    }
    let printed = run("log shipping", &[]);
    assert!(printed.contains("app checkout took 12 ms"), "{printed}");
}

#[test]
fn metrics_go_through_a_pipe() {
    if skip_without("kcat") {
        return;
    }
    let printed = run("metrics", &[]);
    let times: Vec<u64> = printed
        .lines()
        .filter_map(|line| line.split_once(" load ").and_then(|(time, _)| time.parse().ok()))
        .collect();
    assert!(times.len() == 3 && times.is_sorted(), "{printed}");
}

#[test]
fn activity_is_read_on_where_the_group_stopped() {
    if skip_without("kcat") {
        return;
    }
    let printed = run("activity", &[]);
    let expected = "ann {\"page\":\"/\"}\nbob {\"page\":\"/cart\"}\nann {\"page\":\"/pay\"}\n";
    assert_eq!(printed, expected);
}

#[test]
fn state_is_what_a_compacted_topic_says_last() {
    let Some(home) = installed("kafka-python", &["python3"]) else { return };
    let printed = run("event sourcing", &[("PYTHONPATH", &home.join("packages"))]);
    assert_eq!(printed, "{'ann': '7'}\n");
}

#[test]
fn records_go_in_and_come_out_over_http() {
    if skip_without("curl") || skip_without("jq") {
        return;
    }
    let printed = run("http records", &[]);
    assert!(
        printed.contains(
            r#"{"results":[{"partition":0,"offset":"0"},{"partition":0,"offset":"1"}],"failed":0}"#
        ),
        "{printed}"
    );
    assert!(printed.contains(r#""value_json":{"item":7}"#) && printed.contains("hello\n2\nc."), "{printed}");
}

#[test]
fn requests_are_sent_again_over_http() {
    if skip_without("curl") || skip_without("jq") {
        return;
    }
    let printed = run("http once", &[]);
    assert_eq!(printed.matches(r#""offset":"0""#).count(), 2, "{printed}");
    assert_eq!(printed.matches(r#""offset":"2""#).count(), 2, "{printed}");
    assert_eq!(printed.matches(r#""duplicate":true"#).count(), 3, "{printed}");
}

#[test]
fn a_group_is_joined_polled_and_left_over_http() {
    if skip_without("curl") || skip_without("jq") {
        return;
    }
    let printed = run("http group", &[]);
    assert!(printed.contains("one\n") && printed.contains("two\n"), "{printed}");
    assert!(printed.contains(r#"["jobs","#), "{printed}");
}

#[test]
fn a_topic_is_followed_over_http() {
    if skip_without("curl") || skip_without("jq") {
        return;
    }
    let printed = run("http follow", &[]);
    assert!(printed.contains(r#"{"partition":0,"offset":"4"}"#), "{printed}");
    assert!(printed.ends_with("{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n{\"n\":5}\n"), "{printed}");
}

#[test]
fn a_writer_that_was_replaced_is_refused_over_http() {
    if skip_without("curl") || skip_without("jq") {
        return;
    }
    let printed = run("http fence", &[]);
    assert!(printed.contains(r#""offset":"0""#), "{printed}");
    assert!(printed.ends_with("[\"another_fencing_token\",\"writer-2\"]\n"), "{printed}");
}

#[test]
fn history_is_replayed_in_chunks_over_http() {
    if skip_without("curl") || skip_without("jq") {
        return;
    }
    let printed = run("http chunks", &[]);
    assert!(printed.contains(r#""chunk":"0","first_offset":"0","end_offset":"8192""#), "{printed}");
    assert!(printed.contains("cache-control: private, max-age=31536000, immutable"), "{printed}");
}
