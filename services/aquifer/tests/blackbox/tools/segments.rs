//! What lies on disk and in `__consumer_offsets`, read by `kafka-dump-log` and Apache Kafka's formatters.

use std::path::{Path, PathBuf};

use super::{Tools, tells};
use crate::harness::{Node, create_topic, data_dir, run_ok, skip_without};
use crate::jars::Jars;

const GROUP: &str = "committed";

/// The segments that hold something, under a folder.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = entry.path();
        if path.is_dir() {
            found.extend(segments(&path));
        } else if path.extension().is_some_and(|end| end == "log")
            && entry.metadata().expect("a file").len() > 0
        {
            found.push(path);
        }
    }
    found
}

/// Dumps a segment under the name that the tool expects, which tells the base offset only.
fn dump(jars: &Jars, segment: &Path, options: &[&str]) -> (bool, String) {
    let copy = data_dir();
    let name = segment.file_name().and_then(|name| name.to_str()).expect("text");
    let base = name.split('-').next().expect("the base offset");
    let file = copy.path().join(format!("{base}.log"));
    std::fs::copy(segment, &file).expect("a copy");
    let file = file.to_str().expect("text");
    jars.run("org.apache.kafka.tools.DumpLogSegments", &[&["--files", file], options].concat(), "")
}

#[test]
fn apache_kafkas_tools_read_segments_and_committed_offsets() {
    if skip_without("kcat") {
        return;
    }
    let Some(jars) = Jars::installed() else { return };
    let data = data_dir();
    let node = Node::start(data.path());
    create_topic(&node.kafka, "dumped", 1, &[]);
    run_ok(
        "kcat",
        &["-b", &node.kafka, "-P", "-t", "dumped", "-K:", "-z", "zstd"],
        &format!("k1:{}\n", "long ".repeat(50)),
    );
    let reader = ["-b", &node.kafka, "-G", GROUP, "dumped", "-c", "1", "-X", "auto.offset.reset=earliest"];
    run_ok("kcat", &reader, "");

    let tools = Tools::of(&jars, &node);
    for (formatter, words) in [
        ("OffsetsMessageFormatter", [r#""topic":"dumped","partition":0"#, r#""offset":1"#]),
        ("GroupMetadataMessageFormatter", [r#""protocolType":"consumer""#, r#""protocol":"range""#]),
    ] {
        let class = format!("org.apache.kafka.tools.consumer.{formatter}");
        let arguments = [
            "--topic",
            "__consumer_offsets",
            "--from-beginning",
            "--timeout-ms",
            "5000",
            "--formatter",
            &class,
        ];
        // It ends by its timeout.
        let (_, printed) = tools.run("org.apache.kafka.tools.consumer.ConsoleConsumer", &arguments, "");
        let line = printed.split('}').collect::<String>();
        tells(&line, &[&format!(r#""group":"{GROUP}""#)]);
        tells(&line, &words);
    }

    assert!(node.terminate().success());
    let mut all = String::new();
    for segment in segments(&data.path().join("partitions")) {
        let (well, printed) = dump(&jars, &segment, &["--print-data-log"]);
        assert!(well && printed.contains("isvalid: true"), "{printed}");
        all += &printed;
        all += &dump(&jars, &segment, &["--offsets-decoder"]).1;
    }
    tells(&all, &["key: k1 payload: long long", "compresscodec: zstd"]);
    tells(&all, &[r#""group":"committed","topic":"dumped","partition":0"#, r#""offset":1,"#]);
}
