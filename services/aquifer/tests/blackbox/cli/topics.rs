//! Topics, their configs and their records' ends.

use serde_json::json;

use super::run::{json as said, ok};
use crate::harness::{Node, data_dir};

#[test]
fn a_topic_lives_and_dies_by_commands() {
    let data = data_dir();
    let node = Node::server(data.path());

    let would = said(&node, &["topic", "create", "orders", "-p", "2", "--dry-run"]);
    let none = said(&node, &["topic", "list"]);
    said(&node, &["topic", "create", "orders", "-p", "2", "-c", "retention.ms=1000"]);
    let again = said(&node, &["topic", "create", "orders", "--if-not-exists"]);
    said(&node, &["topic", "add-partitions", "orders", "3"]);
    let described = said(&node, &["topic", "describe", "orders"]);
    let set = said(&node, &["topic", "config", "get", "orders"]);
    said(&node, &["topic", "config", "unset", "orders", "retention.ms"]);
    let unset = said(&node, &["topic", "config", "get", "orders"]);
    let would_go = said(&node, &["topic", "delete", "orders", "--dry-run"]);
    let still = said(&node, &["topic", "list"]);
    said(&node, &["topic", "delete", "orders"]);
    let gone = said(&node, &["topic", "list"]);

    assert_eq!((&would["action"], &would["dry_run"]), (&json!("create"), &json!(true)));
    assert_eq!((&none, &gone), (&json!([]), &json!([])));
    assert_eq!(again["action"], "keep");
    assert_eq!(described[0]["partitions"].as_array().map(Vec::len), Some(3));
    assert_eq!((&set[0]["name"], &set[0]["value"]), (&json!("retention.ms"), &json!("1000")));
    assert_eq!(unset, json!([]));
    assert_eq!(would_go[0]["dry_run"], json!(true));
    assert_eq!(still.as_array().map(Vec::len), Some(1));
}

#[test]
fn records_are_trimmed_only_when_it_is_meant() {
    let data = data_dir();
    let node = Node::server(data.path());
    ok(&node, &["topic", "create", "orders", "-p", "2"], "");
    ok(&node, &["produce", "orders", "-p", "1"], "a\nb\nc\nd\n");

    let would = said(&node, &["topic", "trim", "orders", "--before", "-1", "--dry-run"]);
    let before = said(&node, &["topic", "offsets", "orders", "-p", "1"]);
    said(&node, &["topic", "trim", "orders", "--before", "-1"]);
    let after = said(&node, &["topic", "offsets", "orders", "-p", "1", "--at", "earliest"]);

    assert_eq!(would.as_array().map(Vec::len), Some(1), "the empty partition has nothing to trim: {would}");
    assert_eq!((&would[0]["records"], &would[0]["dry_run"]), (&json!(3), &json!(true)));
    assert_eq!((&before[0]["start"], &before[0]["end"]), (&json!(0), &json!(4)));
    assert_eq!(
        (&after[0]["start"], &after[0]["at"], &after[0]["records"]),
        (&json!(3), &json!(3), &json!(1))
    );
}

#[test]
fn the_cluster_and_its_brokers_are_shown() {
    let data = data_dir();
    let node = Node::server(data.path());

    let cluster = said(&node, &["cluster", "describe"]);
    let quorum = said(&node, &["cluster", "quorum"]);
    let disks = said(&node, &["cluster", "disks"]);
    let apis = said(&node, &["cluster", "apis", "--broker", "0"]);
    let configs = said(&node, &["config", "get", "--broker", "0", "--all"]);

    assert_eq!(cluster["brokers"][0]["address"], json!(node.kafka));
    assert_eq!(quorum[0]["role"], "leader");
    assert_eq!(disks[0]["error"], json!(null));
    assert!(apis.as_array().is_some_and(|apis| apis.iter().any(|api| api["name"] == "Fetch")));
    assert!(configs.as_array().is_some_and(|configs| !configs.is_empty()));
}
