//! What people run beside Kafka, unchanged: Connect, MirrorMaker, Streams.

mod connect;
mod mirror;
mod streams;

use std::path::{Path, PathBuf};

use crate::harness::{Node, run_ok};

const PROMPT: &str = "[groups]\ninitial_rebalance_delay = \"0s\"\n";

/// A properties file in a folder.
fn properties(folder: &Path, name: &str, settings: &[(&str, &str)]) -> PathBuf {
    let file = folder.join(name);
    let lines: String = settings.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    std::fs::write(&file, lines).expect("a file");
    file
}

fn produce(node: &Node, topic: &str, lines: &str) {
    run_ok("kcat", &["-b", &node.kafka, "-P", "-t", topic], lines);
}
