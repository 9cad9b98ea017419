//! A compacted topic: the last value of every key stays at its offset, tombstones go in the end, kills notwithstanding.

use std::collections::BTreeMap;

use crate::harness::{Node, create_topic, data_dir, pause, run_ok, skip_without};

pub(crate) const TOPIC: &str = "latest";
/// A key whose large values fill segments, so that those with the other keys are closed.
const FILLER: &str = "filler";
pub(crate) const CONFIGS: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("internal.segment.bytes", "20000"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("delete.retention.ms", "1"),
];

/// One record as kcat reads it; no value for a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    offset: i64,
    key: String,
    value: Option<String>,
}

/// What was produced, in order.
#[derive(Default)]
pub(crate) struct Produced {
    records: Vec<(String, Option<String>)>,
}

impl Produced {
    /// Each round is one run of kcat and a few batches.
    pub(crate) fn put(&mut self, node: &Node, records: Vec<(String, Option<String>)>) {
        let line =
            |(key, value): &(String, Option<String>)| format!("{key}:{}\n", value.as_deref().unwrap_or(""));
        let lines: String = records.iter().map(line).collect();
        // Several batches with several keys each; an empty value is none.
        let batches = ["-X", "batch.num.messages=20", "-Z"];
        run_ok("kcat", &[&["-b", &node.kafka, "-P", "-t", TOPIC, "-K:"][..], &batches].concat(), &lines);
        self.records.extend(records);
    }

    pub(crate) fn fill(&mut self, node: &Node) {
        let filler = (0..8).map(|n| (FILLER.to_owned(), Some(format!("{n}{}", "x".repeat(5_000)))));
        self.put(node, filler.collect());
    }

    fn latest(&self) -> BTreeMap<&str, Option<&str>> {
        self.records.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect()
    }

    /// Everything that is read was produced, at its offset; the last value of every key is there, unless it is none.
    fn check(&self, read: &[Read]) {
        for pair in read.windows(2) {
            assert!(pair[0].offset < pair[1].offset, "offsets go back: {pair:?}");
        }
        for record in read {
            let at = usize::try_from(record.offset).expect("offsets are counted from zero");
            let (key, value) = &self.records[at];
            assert_eq!((&record.key, &record.value), (key, value), "offset {at}");
        }
        let found: BTreeMap<&str, Option<&str>> =
            read.iter().map(|record| (record.key.as_str(), record.value.as_deref())).collect();
        for (key, value) in self.latest() {
            match value {
                Some(value) => assert_eq!(found.get(key), Some(&Some(value)), "{key}"),
                None => assert!(!matches!(found.get(key), Some(Some(_))), "{key} rose from the dead"),
            }
        }
    }

    pub(crate) fn read_and_check(&self, node: &Node) -> Vec<Read> {
        let read = read_all(node);
        self.check(&read);
        read
    }

    /// Reads until `done`, checking every time.
    pub(crate) fn wait(&mut self, node: &Node, what: &str, mut done: impl FnMut(&[Read]) -> bool) {
        for turn in 1..1200 {
            if done(&self.read_and_check(node)) {
                return;
            }
            if turn % 40 == 0 {
                // What is closed but not dirty enough for a look waits for company.
                self.fill(node);
            }
            pause();
        }
        panic!("{what} never came; cleanings: {}", metrics(node));
    }
}

fn read_all(node: &Node) -> Vec<Read> {
    let format = "%o\t%k\t%S\t%s\n";
    let arguments = ["-b", &node.kafka, "-C", "-t", TOPIC, "-o", "beginning", "-e", "-q", "-f", format];
    let text = run_ok("kcat", &arguments, "");
    text.lines()
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            Read {
                offset: fields[0].parse().expect("an offset"),
                key: fields[1].to_owned(),
                value: (fields[2] != "-1").then(|| fields[3].to_owned()),
            }
        })
        .collect()
}

fn metrics(node: &Node) -> String {
    let (_, text) = node.get("/metrics").expect("metrics");
    text.lines().filter(|line| line.starts_with("aquifer_cleaning")).collect::<Vec<_>>().join("; ")
}

pub(crate) fn is_clean(read: &[Read]) -> bool {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for record in read.iter().filter(|record| record.key != FILLER) {
        *seen.entry(&record.key).or_default() += 1;
    }
    seen.values().all(|count| *count == 1)
}

#[test]
fn the_last_value_of_every_key_stays_at_its_offset_and_tombstones_go() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    let mut node = Node::start(data.path());
    create_topic(&node.kafka, TOPIC, 1, &CONFIGS);
    let mut produced = Produced::default();
    for round in 0..4 {
        let value = |key: i32| Some(format!("round {round} of key {key} {}", "v".repeat(200)));
        produced.put(&node, (0..60).map(|key| (format!("k{key}"), value(key))).collect());
    }
    produced.fill(&node);

    produced.wait(&node, "a clean log", is_clean);
    node.kill();
    node = Node::start(data.path());
    assert!(is_clean(&produced.read_and_check(&node)), "what was cleaned came back");

    // Two tombstones of every three keys, so that batches are left with some of their records.
    produced.put(&node, (0..60).filter(|key| key % 3 > 0).map(|key| (format!("k{key}"), None)).collect());
    produced.fill(&node);
    node.kill();
    node = Node::start(data.path());
    produced.wait(&node, "a log without tombstones", |read| {
        is_clean(read) && read.iter().all(|record| record.value.is_some())
    });
    let left = produced.read_and_check(&node);
    assert_eq!(left.iter().filter(|record| record.key != FILLER).count(), 20);
    assert!(node.terminate().success());
    node = Node::start(data.path());
    let after = produced.read_and_check(&node);
    assert!(after.iter().all(|record| left.contains(record)), "something came back: {after:?}");
}
