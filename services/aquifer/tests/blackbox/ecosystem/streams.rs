//! Streams: words are counted, and the counts outlive the program and its local state.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{PROMPT, produce, properties};
use crate::harness::{Node, Ports, create_topic, data_dir, run_ok, skip_without, sleep};
use crate::jars::Jars;

const OUTPUT: &str = "streams-wordcount-output";

/// The last count of every word.
fn counts(node: &Node) -> BTreeMap<String, String> {
    let format = ["-f", "%k\t%s\n", "-s", "value=q", "-q", "-e"];
    let text = run_ok(
        "kcat",
        &[&["-b", &node.kafka, "-C", "-t", OUTPUT, "-o", "beginning"], &format[..]].concat(),
        "",
    );
    let pairs = text.lines().filter_map(|line| line.split_once('\t'));
    pairs.map(|(word, count)| (word.to_owned(), count.to_owned())).collect()
}

#[test]
fn words_are_counted_on_after_a_kill_and_without_local_state() {
    if skip_without("kcat") {
        return;
    }
    let Some(jars) = Jars::installed() else { return };
    let (data, folder) = (data_dir(), data_dir());
    let node = Node::begin_server(data.path(), Ports::free(), PROMPT).ready();
    create_topic(&node.kafka, "streams-plaintext-input", 2, &[]);
    create_topic(&node.kafka, OUTPUT, 1, &[("cleanup.policy", "compact")]);
    let start = |state: &str| {
        let state = folder.path().join(state);
        let settings = [
            ("bootstrap.servers", node.kafka.as_str()),
            ("state.dir", state.to_str().expect("text")),
            ("commit.interval.ms", "200"),
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "1000"),
        ];
        let file = properties(folder.path(), "streams.properties", &settings);
        let class = "org.apache.kafka.streams.examples.wordcount.WordCountDemo";
        jars.start(class, &[file.to_str().expect("text")])
    };
    let is = |counts: &BTreeMap<String, String>, word: &str, count: &str| {
        counts.get(word).is_some_and(|found| found == count)
    };

    let mut running = start("first");
    produce(&node, "streams-plaintext-input", "all streams lead to kafka\nhello kafka streams\n");
    running.wait("the first counts", || {
        let counts = counts(&node);
        is(&counts, "kafka", "2") && is(&counts, "streams", "2") && is(&counts, "hello", "1")
    });

    // What it has not committed is counted again: at least once. It commits several times a second.
    sleep(Duration::from_secs(1));
    drop(running);
    let mut running = start("second");
    produce(&node, "streams-plaintext-input", "kafka again\n");
    running.wait("a count that goes on", || is(&counts(&node), "kafka", "3"));
    running.end();
}
