//! MirrorMaker: topics and the positions of groups are copied from one node to another.

use super::{PROMPT, produce, properties};
use crate::harness::{Node, Ports, create_topic, data_dir, run_ok, skip_without};
use crate::jars::Jars;

const GROUP: &str = "readers";

/// What a node has of a topic, by kcat; nothing while it is not there.
fn read(node: &Node, topic: &str) -> String {
    let output = crate::harness::run(
        "kcat",
        &["-b", &node.kafka, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%o %s\n"],
        "",
    );
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn topics_and_groups_are_mirrored_to_another_node() {
    if skip_without("kcat") {
        return;
    }
    let Some(jars) = Jars::installed() else { return };
    let (source_data, target_data, folder) = (data_dir(), data_dir(), data_dir());
    let source = Node::begin_server(source_data.path(), Ports::free(), PROMPT).ready();
    let target = Node::begin_server(target_data.path(), Ports::free(), PROMPT).ready();
    create_topic(&source.kafka, "orders", 1, &[("retention.ms", "1234567")]);
    let lines: String = (0..100).map(|n| format!("order {n}\n")).collect();
    produce(&source, "orders", &lines);
    let settings = [
        ("clusters", "source, target"),
        ("source.bootstrap.servers", source.kafka.as_str()),
        ("target.bootstrap.servers", target.kafka.as_str()),
        ("source->target.enabled", "true"),
        ("target->source.enabled", "false"),
        ("source->target.topics", "orders"),
        ("source->target.groups", GROUP),
        ("sync.group.offsets.enabled", "true"),
        ("sync.group.offsets.interval.seconds", "1"),
        ("emit.checkpoints.interval.seconds", "1"),
        ("refresh.groups.interval.seconds", "1"),
        ("refresh.topics.interval.seconds", "1"),
        ("offset.lag.max", "0"),
        ("replication.factor", "1"),
        ("checkpoints.topic.replication.factor", "1"),
        ("heartbeats.topic.replication.factor", "1"),
        ("offset-syncs.topic.replication.factor", "1"),
        ("config.storage.replication.factor", "1"),
        ("offset.storage.replication.factor", "1"),
        ("status.storage.replication.factor", "1"),
        ("plugin.discovery", "service_load"),
    ];
    let file = properties(folder.path(), "mirror.properties", &settings);
    let mut mirror =
        jars.start("org.apache.kafka.connect.mirror.MirrorMaker", &[file.to_str().expect("text")]);

    let expected: String = (0..100).map(|n| format!("{n} order {n}\n")).collect();
    mirror.wait("the topic on the target", || read(&target, "source.orders") == expected);
    // A group stops after 60 records, and has read everything the mirror knows how to translate.
    let reader = ["-b", &source.kafka, "-G", GROUP, "-X", "auto.offset.reset=earliest", "-c", "60", "orders"];
    run_ok("kcat", &reader, "");
    produce(&source, "orders", "order 100\n");
    mirror.wait("the record that came later", || read(&target, "source.orders").contains("100 order 100\n"));
    let groups = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    let mut position = None;
    mirror.wait("the group on the target", || {
        let arguments = ["--bootstrap-server", &target.kafka, "--describe", "--group", GROUP];
        position = committed(&jars.run(groups, &arguments, "").1);
        position.is_some()
    });

    let position = position.expect("it was told");
    assert!(0 < position && position <= 60, "60 records were read, the position became {position}");
    mirror.end();
}

/// The position of the group in the mirrored topic, of what the tool printed.
fn committed(printed: &str) -> Option<i64> {
    let line = printed.lines().find(|line| line.contains(" source.orders "))?;
    line.split_whitespace().nth(3)?.parse().ok()
}
