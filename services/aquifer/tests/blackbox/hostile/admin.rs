//! Topics, partitions and configs that cannot be.

use aquifer_wire::messages::create_partitions_request::CreatePartitionsTopic;
use aquifer_wire::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use aquifer_wire::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use aquifer_wire::messages::{CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest};
use aquifer_wire::{ErrorCode, Text};

use super::node::{Assaulted, GROWTH_MAX};
use crate::wire::Port;

fn topic(name: &str, partitions: i32, factor: i16) -> CreatableTopic {
    CreatableTopic {
        name: Text::from(name),
        num_partitions: partitions,
        replication_factor: factor,
        ..CreatableTopic::default()
    }
}

fn create(port: &mut Port, topics: Vec<CreatableTopic>) -> Vec<ErrorCode> {
    let request = CreateTopicsRequest { topics, timeout_ms: 10_000, ..CreateTopicsRequest::default() };
    port.call(7, &request).topics.iter().map(|topic| topic.error_code).collect()
}

#[test]
fn topics_that_cannot_be_are_refused() {
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    let long = "x".repeat(250);
    let long_as_can_be = "x".repeat(32_000);
    for name in ["", ".", "..", "a/b", "a b", "a\0b", "ä", "../../etc/passwd", &long, &long_as_can_be] {
        assert_eq!(
            create(&mut port, vec![topic(name, 1, 1)]),
            [ErrorCode::INVALID_TOPIC_EXCEPTION],
            "{name:?}"
        );
    }
    for partitions in [0, -2, i32::MIN] {
        assert_eq!(create(&mut port, vec![topic("t", partitions, 1)]), [ErrorCode::INVALID_PARTITIONS]);
    }
    // As Kafka says where one request asks for too many.
    assert_eq!(create(&mut port, vec![topic("t", i32::MAX, 1)]), [ErrorCode::POLICY_VIOLATION]);
    for factor in [0, -2, 2, i16::MAX] {
        assert_eq!(create(&mut port, vec![topic("t", 1, factor)]), [ErrorCode::INVALID_REPLICATION_FACTOR]);
    }
    let twice = create(&mut port, vec![topic("t", 1, 1), topic("t", 1, 1)]);
    assert!(twice.iter().all(|code| *code == ErrorCode::INVALID_REQUEST), "{twice:?}");
    // Names that metrics could not tell apart.
    assert_eq!(create(&mut port, vec![topic("a.b", 1, 1)]), [ErrorCode::NONE]);
    assert_eq!(create(&mut port, vec![topic("a_b", 1, 1)]), [ErrorCode::INVALID_TOPIC_EXCEPTION]);
    let assigned = |partition_index: i32, brokers: &[i32]| CreatableTopic {
        assignments: vec![CreatableReplicaAssignment { partition_index, broker_ids: brokers.to_vec() }],
        ..topic("assigned", -1, -1)
    };
    for (partition, brokers) in [(0, &[][..]), (0, &[7]), (0, &[0, 0]), (5, &[0]), (-1, &[0])] {
        let code = create(&mut port, vec![assigned(partition, brokers)]);
        assert_eq!(code, [ErrorCode::INVALID_REPLICA_ASSIGNMENT], "{partition} on {brokers:?}");
    }
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn configs_that_cannot_be_are_refused() {
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    let long = "9".repeat(10_000);
    let values = [
        ("no.such.config", Some("1")),
        ("", Some("1")),
        ("retention.ms", Some("soon")),
        ("retention.ms", Some("-2")),
        ("retention.ms", Some(&long)),
        ("retention.ms", None),
        ("segment.bytes", Some("1")),
        ("cleanup.policy", Some("shred")),
        ("compression.type", Some("rar")),
        ("min.insync.replicas", Some("0")),
        ("aquifer.durability", Some("hope")),
    ];
    for (name, value) in values {
        let config = CreatableTopicConfig { name: Text::from(name), value: value.map(Text::from) };
        let topic = CreatableTopic { configs: vec![config], ..topic("configured", 1, 1) };
        assert_eq!(create(&mut port, vec![topic]), [ErrorCode::INVALID_CONFIG], "{name} = {value:?}");
    }
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn partitions_and_offsets_that_cannot_be_are_refused() {
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    let counts = [0, -1, 1, 2].map(|count| (count, ErrorCode::INVALID_PARTITIONS));
    for (count, code) in counts.into_iter().chain([(i32::MAX, ErrorCode::POLICY_VIOLATION)]) {
        let topic =
            CreatePartitionsTopic { name: Text::from("steady"), count, ..CreatePartitionsTopic::default() };
        let request = CreatePartitionsRequest {
            topics: vec![topic],
            timeout_ms: 10_000,
            ..CreatePartitionsRequest::default()
        };
        assert_eq!(port.call(3, &request).results[0].error_code, code, "{count}");
    }
    for (partition_index, offset, code) in [
        (0, 1_000, ErrorCode::OFFSET_OUT_OF_RANGE),
        (0, -2, ErrorCode::OFFSET_OUT_OF_RANGE),
        (0, i64::MAX, ErrorCode::OFFSET_OUT_OF_RANGE),
        (9, 0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (-1, 0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    ] {
        let partitions = vec![DeleteRecordsPartition { partition_index, offset }];
        let topic = DeleteRecordsTopic { name: Text::from("steady"), partitions };
        let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 10_000 };
        let answer = port.call(2, &request);
        assert_eq!(answer.topics[0].partitions[0].error_code, code, "{partition_index} before {offset}");
    }
    assaulted.unharmed(GROWTH_MAX);
}
