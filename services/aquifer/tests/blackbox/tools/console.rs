//! The console producer and consumer.

use super::topics::{OFFSETS, offsets};
use super::{Tools, tells};

const PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
pub(super) const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

/// Lines with tabs between what is told of a record, of `count` records from a topic's start.
fn read(tools: &Tools<'_>, topic: &str, count: usize, told: &[&str]) -> Vec<String> {
    let count = count.to_string();
    let mut arguments = vec!["--topic", topic, "--from-beginning", "--max-messages", &count];
    let properties: Vec<String> = told.iter().map(|what| format!("print.{what}=true")).collect();
    for property in &properties {
        arguments.extend(["--formatter-property", property]);
    }
    let printed = tools.does(CONSUMER, &arguments);
    tells(&printed, &[&format!("Processed a total of {count} messages")]);
    printed.lines().filter(|line| line.contains('\t')).map(str::to_owned).collect()
}

pub(super) fn produce(tools: &Tools<'_>) {
    let lines: String = (1..=20).map(|n| format!("key{n}:value{n}\n")).collect();
    let keyed =
        ["--topic", "keyed", "--reader-property", "parse.key=true", "--reader-property", "key.separator=:"];

    tools.does_with(PRODUCER, &keyed, &lines);

    let expected: Vec<String> = (1..=20).map(|n| format!("key{n}\tvalue{n}")).collect();
    assert_eq!(read(tools, "keyed", 20, &["key"]), expected);
}

pub(super) fn consume(tools: &Tools<'_>) {
    let lines: String = (0..20).map(|n| format!("value {n}\n")).collect();
    tools.does_with(PRODUCER, &["--topic", "sought"], &lines);

    let place = ["--topic", "sought", "--partition", "0", "--offset", "7", "--max-messages", "2"];
    let printed = tools.does(CONSUMER, &place);

    tells(&printed, &["value 7\nvalue 8\n"]);
}

pub(super) fn headers(tools: &Tools<'_>) {
    let parse = ["--topic", "headed", "--reader-property", "parse.headers=true"];

    tools.does_with(PRODUCER, &parse, "trace:1,kind:a b\tvalue\n");

    assert_eq!(read(tools, "headed", 1, &["headers"]), ["trace:1,kind:a b\tvalue"]);
}

pub(super) fn codecs(tools: &Tools<'_>) {
    const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
    let long = "and so on ".repeat(50);
    for codec in CODECS {
        let line = format!("{codec} {long}\n");
        tools.does_with(PRODUCER, &["--topic", "packed", "--compression-codec", codec], &line);
    }

    let expected: Vec<String> =
        CODECS.iter().enumerate().map(|(n, codec)| format!("Offset:{n}\t{codec} {long}")).collect();
    assert_eq!(read(tools, "packed", 5, &["offset"]), expected);
}

pub(super) fn idempotence(tools: &Tools<'_>) {
    tools.does_with(PRODUCER, &["--topic", "once"], "1\n2\n");

    let describe = ["describe-producers", "--topic", "once", "--partition", "0"];
    let printed = tools.does("org.apache.kafka.tools.TransactionsCommand", &describe);
    let producers: Vec<Vec<&str>> = printed
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<&str>>())
        .filter(|words| words.first().is_some_and(|id| id.parse::<i64>().is_ok()))
        .collect();
    assert!(producers.len() == 1 && producers[0][3] == "1", "not one producer at sequence 1: {printed}");
}

pub(super) fn offsets_by_time(tools: &Tools<'_>) {
    for line in ["first\n", "second\n", "third\n"] {
        tools.does_with(PRODUCER, &["--topic", "dated"], line);
    }
    let times: Vec<i64> = read(tools, "dated", 3, &["timestamp"])
        .iter()
        .map(|line| {
            line["CreateTime:".len()..].split('\t').next().expect("a time").parse().expect("a number")
        })
        .collect();

    for (offset, time) in (0..).zip(&times) {
        let printed = tools.does(OFFSETS, &["--topic", "dated", "--time", &time.to_string()]);
        assert_eq!(offsets(&printed), [offset], "of {times:?}");
    }
}
