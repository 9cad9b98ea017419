//! What scripts rely on where something goes wrong.

use serde_json::json;

use super::run::{failed, ok, refused};
use crate::harness::{Node, data_dir};

#[test]
fn every_kind_of_failure_has_its_exit_code_and_its_object() {
    let data = data_dir();
    let node = Node::server(data.path());
    ok(&node, &["topic", "create", "orders", "-p", "1"], "");

    for (words, exit, code) in [
        (&["topic", "describe", "none"][..], 3, "not_found"),
        (&["consume", "none"], 3, "not_found"),
        (&["produce", "none", "--value", "x"], 3, "not_found"),
        (&["produce", "orders", "--value", "x", "-p", "9"], 3, "not_found"),
        (&["consume", "orders", "-p", "9"], 3, "not_found"),
        (&["topic", "config", "get", "orders", "no.such"], 3, "not_found"),
        (&["group", "describe", "none"], 3, "not_found"),
        (&["topic", "create", "orders"], 4, "refused"),
        (&["topic", "create", "bad name"], 4, "refused"),
        (&["topic", "config", "set", "orders", "retention.ms=soon"], 4, "refused"),
        (&["topic", "add-partitions", "orders", "1"], 4, "refused"),
        (&["consume", "orders", "--from", "99"], 4, "refused"),
        (&["consume", "orders", "--from", "whenever"], 2, "usage"),
        (&["consume", "orders", "-f", "%q"], 2, "usage"),
        (&["topic", "create", "more", "-p", "0"], 2, "usage"),
        (&["topics"], 2, "usage"),
    ] {
        let (found, error) = refused(&node, words);
        assert_eq!((found, &error["code"]), (exit, &json!(code)), "{words:?}: {error}");
        assert!(error["message"].is_string() && error["retryable"] == json!(false), "{words:?}: {error}");
    }
}

#[test]
fn a_broker_that_is_not_there_is_told_apart() {
    let (exit, error) =
        failed(&["topic", "list", "--brokers", "127.0.0.1:1", "--timeout", "100ms", "-o", "ndjson"]);

    assert_eq!((exit, &error["code"], &error["retryable"]), (5, &json!("unreachable"), &json!(true)));
    assert!(error["hint"].is_string());
}
