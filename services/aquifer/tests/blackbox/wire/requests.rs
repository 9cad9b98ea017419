//! The requests that most tests send.

use std::collections::BTreeMap;

use aquifer_wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use aquifer_wire::messages::delete_topics_request::DeleteTopicState;
use aquifer_wire::messages::fetch_request::{FetchPartition, FetchTopic};
use aquifer_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use aquifer_wire::messages::produce_response::PartitionProduceResponse;
use aquifer_wire::messages::{CreateTopicsRequest, DeleteTopicsRequest, FetchRequest, ProduceRequest};
use aquifer_wire::{ErrorCode, Records, Text};
use bytes::Bytes;

use super::port::Port;

/// Creates a topic, which must succeed.
pub(crate) fn create(port: &mut Port, name: &str, partitions: i32, configs: &BTreeMap<&str, &str>) {
    let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
        name: Text::from(*name),
        value: Some(Text::from(*value)),
    });
    let topic = CreatableTopic {
        name: Text::from(name),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.collect(),
        ..CreatableTopic::default()
    };
    let request =
        CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..CreateTopicsRequest::default() };
    let created = port.call(7, &request);
    assert_eq!(created.topics[0].error_code, ErrorCode::NONE, "{name}: {created:?}");
}

/// Deletes a topic, which must succeed.
pub(crate) fn delete(port: &mut Port, name: &str) {
    let topics = vec![DeleteTopicState { name: Some(Text::from(name)), ..DeleteTopicState::default() }];
    let request = DeleteTopicsRequest { topics, timeout_ms: 10_000, ..DeleteTopicsRequest::default() };
    assert_eq!(port.call(6, &request).responses[0].error_code, ErrorCode::NONE, "{name}");
}

/// A request for one partition, named by its topic's name.
pub(crate) fn produce(topic: &str, partition: i32, records: Bytes) -> ProduceRequest {
    let data = PartitionProduceData { index: partition, records: Some(Records::Bytes(records)) };
    let topic = TopicProduceData {
        name: Text::from(topic),
        partition_data: vec![data],
        ..TopicProduceData::default()
    };
    ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic], ..ProduceRequest::default() }
}

/// What became of the one partition of such a request.
pub(crate) fn produced(port: &mut Port, request: &ProduceRequest) -> PartitionProduceResponse {
    port.call(9, request).responses[0].partition_responses[0].clone()
}

/// A request for one partition, named by its topic's name, that does not wait.
pub(crate) fn fetch(topic: &str, partition: i32, offset: i64) -> FetchRequest {
    let wanted = FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic { topic: Text::from(topic), partitions: vec![wanted], ..FetchTopic::default() };
    FetchRequest { max_bytes: 1 << 20, topics: vec![topic], ..FetchRequest::default() }
}
