//! Topics, configs, records: `kafka-topics`, `kafka-configs`, `kafka-get-offsets`, `kafka-delete-records`, `kafka-log-dirs`,
//! the performance tools.

use super::{Tools, tells};
use crate::harness::data_dir;

pub(super) const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const CONFIGS: &str = "kafka.admin.ConfigCommand";
pub(super) const OFFSETS: &str = "org.apache.kafka.tools.GetOffsetShell";

pub(super) fn topics_and_configs(tools: &Tools<'_>) {
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

    tools.does(TOPICS, &["--delete", "--topic", "made"]);
    assert!(!tools.does(TOPICS, &["--list"]).contains("made"));
}

pub(super) fn records(tools: &Tools<'_>) {
    let bootstrap = format!("bootstrap.servers={}", tools.bootstrap);
    let plan = ["--topic", "measured", "--num-records", "500", "--record-size", "100", "--throughput", "-1"];
    let (well, printed) = tools.jars.run(
        "org.apache.kafka.tools.ProducerPerformance",
        &[&plan[..], &["--command-property", &bootstrap]].concat(),
        "",
    );
    assert!(well && printed.contains("500 records sent"), "{printed}");
    let printed = tools
        .does("org.apache.kafka.tools.ConsumerPerformance", &["--topic", "measured", "--num-records", "500"]);
    tells(&printed, &[", 500, "]);

    let folder = data_dir();
    let before = folder.path().join("before.json");
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
pub(super) fn offsets(printed: &str) -> Vec<i64> {
    printed.lines().filter_map(|line| line.rsplit(':').next()?.parse().ok()).collect()
}
