//! Topics, configs, records: `kafka-topics`, `kafka-configs`, `kafka-get-offsets`, `kafka-delete-records`, `kafka-log-dirs`,
//! the console producer and consumer, the performance tools.

use super::{Tools, tells};
use crate::harness::{Node, data_dir};
use crate::jars::Jars;

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const CONFIGS: &str = "kafka.admin.ConfigCommand";
const OFFSETS: &str = "org.apache.kafka.tools.GetOffsetShell";
const PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

#[test]
fn topics_are_administered_with_apache_kafkas_tools() {
    let Some(jars) = Jars::installed() else { return };
    let data = data_dir();
    let node = Node::start(data.path());
    let tools = Tools::of(&jars, &node);

    tools.does(
        TOPICS,
        &["--create", "--topic", "made", "--partitions", "2", "--config", "retention.ms=1000000"],
    );
    tools.refuses(TOPICS, &["--create", "--topic", "made"], "already exists");
    tools.does(TOPICS, &["--alter", "--topic", "made", "--partitions", "3"]);
    let described = tools.does(TOPICS, &["--describe", "--topic", "made"]);
    tells(&described, &["PartitionCount: 3", "ReplicationFactor: 1", "retention.ms=1000000", "Leader: 0"]);

    let of_topic = ["--entity-type", "topics", "--entity-name", "made"];
    let change = ["--alter", "--add-config", "max.message.bytes=2000000", "--delete-config", "retention.ms"];
    tools.does(CONFIGS, &[&of_topic[..], &change].concat());
    let described = tools.does(CONFIGS, &[&of_topic[..], &["--describe"]].concat());
    tells(&described, &["max.message.bytes=2000000", "DEFAULT_CONFIG:message.max.bytes="]);
    assert!(!described.contains("retention.ms=1000000"), "{described}");
    let senseless = ["--alter", "--add-config", "retention.ms=soon"];
    tools.refuses(CONFIGS, &[&of_topic[..], &senseless].concat(), "InvalidConfigurationException");
    let of_broker = ["--entity-type", "brokers", "--entity-name", "0"];
    let described = tools.does(CONFIGS, &[&of_broker[..], &["--describe", "--all"]].concat());
    tells(&described, &["advertised.listeners=PLAINTEXT://127.0.0.1"]);

    let lines: String = (1..=20).map(|n| format!("key{n}:value{n}\n")).collect();
    let keyed =
        ["--topic", "made", "--reader-property", "parse.key=true", "--reader-property", "key.separator=:"];
    tools.does_with(PRODUCER, &keyed, &lines);
    let read = tools.does(
        CONSUMER,
        &[
            "--topic",
            "made",
            "--from-beginning",
            "--max-messages",
            "20",
            "--formatter-property",
            "print.key=true",
        ],
    );
    tells(&read, &["key1\tvalue1\n", "key20\tvalue20\n", "Processed a total of 20 messages"]);
    let ends: i64 = offsets(&tools.does(OFFSETS, &["--topic", "made"])).iter().sum();
    assert_eq!(ends, 20);

    tools.does(TOPICS, &["--delete", "--topic", "made"]);
    assert!(!tools.does(TOPICS, &["--list"]).contains("made"));
}

#[test]
fn records_are_deleted_measured_and_found_with_apache_kafkas_tools() {
    let Some(jars) = Jars::installed() else { return };
    let data = data_dir();
    let node = Node::start(data.path());
    let tools = Tools::of(&jars, &node);
    let bootstrap = format!("bootstrap.servers={}", node.kafka);
    let plan = ["--topic", "measured", "--num-records", "500", "--record-size", "100", "--throughput", "-1"];
    let (well, printed) = jars.run(
        "org.apache.kafka.tools.ProducerPerformance",
        &[&plan[..], &["--command-property", &bootstrap]].concat(),
        "",
    );
    assert!(well && printed.contains("500 records sent"), "{printed}");
    let printed = tools
        .does("org.apache.kafka.tools.ConsumerPerformance", &["--topic", "measured", "--num-records", "500"]);
    tells(&printed, &[", 500, "]);

    let before = data.path().join("before.json");
    std::fs::write(
        &before,
        r#"{"version":1,"partitions":[{"topic":"measured","partition":0,"offset":123}]}"#,
    )
    .expect("a file");
    let file = before.to_str().expect("text");
    let printed = tools.does("org.apache.kafka.tools.DeleteRecordsCommand", &["--offset-json-file", file]);
    tells(&printed, &["low_watermark: 123"]);
    assert_eq!(offsets(&tools.does(OFFSETS, &["--topic", "measured", "--time", "earliest"])), [123]);
    assert_eq!(offsets(&tools.does(OFFSETS, &["--topic", "measured", "--time", "latest"])), [500]);
    assert!(offsets(&tools.does(OFFSETS, &["--topic", "measured", "--time", "max-timestamp"]))[0] >= 123);

    let printed =
        tools.does("org.apache.kafka.tools.LogDirsCommand", &["--describe", "--topic-list", "measured"]);
    tells(&printed, &[r#""partition":"measured-0""#, r#""error":null"#]);
}

/// The offsets of lines like `topic:partition:offset`.
fn offsets(printed: &str) -> Vec<i64> {
    printed.lines().filter_map(|line| line.rsplit(':').next()?.parse().ok()).collect()
}
