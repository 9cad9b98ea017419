//! kcat (librdkafka): every codec, keys, headers, seeking by time.

use crate::harness::{Node, data_dir, run_ok, skip_without};

#[test]
fn kcat_reads_back_what_it_wrote_with_every_codec() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    let node = Node::start(data.path());
    let lines: String = (0..500).map(|n| format!("k{n}:value number {n}\n")).collect();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("codec-{codec}");
        run_ok("kcat", &["-b", &node.kafka, "-P", "-t", &topic, "-K:", "-z", codec, "-H", "a=b"], &lines);

        let read = run_ok(
            "kcat",
            &["-b", &node.kafka, "-C", "-t", &topic, "-o", "beginning", "-e", "-q", "-f", "%k:%s\n"],
            "",
        );

        assert_eq!(read, lines, "{codec}");
    }
}

#[test]
fn kcat_with_idempotence_and_many_small_batches_loses_and_repeats_nothing() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    let node = Node::start(data.path());
    let lines: String = (0..2000).map(|n| format!("{n}\n")).collect();
    let produce = ["-b", &node.kafka, "-P", "-t", "idempotent"];
    let settings = ["-X", "enable.idempotence=true", "-X", "linger.ms=0", "-X", "batch.num.messages=7"];
    run_ok("kcat", &[&produce[..], &settings[..]].concat(), &lines);

    let read =
        run_ok("kcat", &["-b", &node.kafka, "-C", "-t", "idempotent", "-o", "beginning", "-e", "-q"], "");

    assert_eq!(read, lines);
}
