//! Running `aquifer` with arguments, and what came of it.

use serde_json::Value;

use crate::harness::{Node, run, run_ok};

pub(super) const AQUIFER: &str = env!("CARGO_BIN_EXE_aquifer");

/// The arguments with the node they are for. Contexts of whoever runs the tests have no say.
pub(super) fn arguments<'a>(node: &'a Node, words: &[&'a str]) -> Vec<&'a str> {
    [words, &["--brokers", &node.kafka]].concat()
}

/// What a command that must succeed writes.
pub(super) fn ok(node: &Node, words: &[&str], input: &str) -> String {
    run_ok(AQUIFER, &arguments(node, words), input)
}

/// The JSON that a command that must succeed writes.
pub(super) fn json(node: &Node, words: &[&str]) -> Value {
    let text = ok(node, &[words, &["-o", "json"]].concat(), "");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{words:?}: {error}: {text}"))
}

/// Exit code and error object of a command that must fail.
pub(super) fn refused(node: &Node, words: &[&str]) -> (i32, Value) {
    failed(&arguments(node, &[words, &["-o", "json"]].concat()))
}

pub(super) fn failed(words: &[&str]) -> (i32, Value) {
    let output = run(AQUIFER, words, "");
    let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(out, "", "{words:?} writes nothing else where it fails");
    let error: Value =
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{words:?}: {error}: {said}"));
    (output.status.code().expect("it was not killed"), error["error"].clone())
}
