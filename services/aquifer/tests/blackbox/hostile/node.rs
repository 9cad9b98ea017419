//! `Assaulted`: a node that something bad was sent to, and the proof that it took no harm.

use std::collections::BTreeMap;

use aquifer_record::{BatchBuilder, Encoding, NewRecord};
use aquifer_runtime::Runtime;
use aquifer_wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use aquifer_wire::messages::fetch_request::{FetchPartition, FetchTopic};
use aquifer_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use aquifer_wire::messages::produce_response::PartitionProduceResponse;
use aquifer_wire::messages::{CreateTopicsRequest, FetchRequest, ProduceRequest};
use aquifer_wire::{ErrorCode, Records, Text};
use bytes::Bytes;

use super::port::Port;
use crate::harness::{Node, data_dir};

/// What any round of bad requests may leave behind in memory: pools, caches and the allocator's habits.
pub(super) const GROWTH_MAX: u64 = 48 << 20;

pub(super) struct Assaulted {
    pub(super) node: Node,
    _data: tempfile::TempDir,
    before: u64,
    next_offset: i64,
}

impl Assaulted {
    /// A node with a topic `steady` that has served already.
    pub(super) fn start() -> Assaulted {
        let data = data_dir();
        let node = Node::start(data.path());
        let mut assaulted = Assaulted { node, _data: data, before: 0, next_offset: 0 };
        assaulted.create("steady", 2, &BTreeMap::new());
        assaulted.serves();
        assaulted.before = assaulted.node.resident_bytes();
        assaulted
    }

    pub(super) fn port(&self) -> Port {
        Port::open(&self.node.kafka)
    }

    pub(super) fn create(&self, name: &str, partitions: i32, configs: &BTreeMap<&str, &str>) {
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
        let created = self.port().call(7, &request);
        assert_eq!(created.topics[0].error_code, ErrorCode::NONE, "{name}: {created:?}");
    }

    /// Whether a record still goes in and comes out, and `/readyz` agrees.
    pub(super) fn serves(&mut self) {
        assert!(self.node.is_ready(), "not ready; its log: {}", self.node.log());
        let mut port = self.port();
        let value = format!("record {}", self.next_offset);
        let produced = port.call(9, &produce("steady", 0, batch(value.as_bytes())));
        let produced = &produced.responses[0].partition_responses[0];
        assert_eq!((produced.error_code, produced.base_offset), (ErrorCode::NONE, self.next_offset));
        let fetched = port.call(12, &fetch("steady", 0, self.next_offset));
        let fetched =
            fetched.responses[0].partitions[0].records.as_ref().and_then(Records::as_bytes).cloned();
        let fetched = fetched.expect("records");
        assert!(
            fetched.windows(value.len()).any(|window| window == value.as_bytes()),
            "{value} is not there"
        );
        self.next_offset += 1;
    }

    /// Whether it serves as before and holds no more memory than `growth` above what it held.
    pub(super) fn unharmed(&mut self, growth: u64) {
        self.serves();
        let (before, after) = (self.before, self.node.resident_bytes());
        assert!(after <= before + growth, "memory grew from {before} to {after}");
    }
}

/// A sound batch of one record.
pub(super) fn batch(value: &[u8]) -> Bytes {
    batch_of(BatchBuilder::new(Encoding::NONE), &[(Some(b"key"), value)])
}

/// A batch of records with these keys and values.
pub(super) fn batch_of(mut builder: BatchBuilder, records: &[(Option<&[u8]>, &[u8])]) -> Bytes {
    let timestamp = Runtime::real().now().wall;
    for (key, value) in records {
        let record = NewRecord { timestamp, key: *key, value: Some(value), ..NewRecord::default() };
        builder.push(&record).expect("a small record");
    }
    Bytes::from(builder.build().expect("there are records"))
}

/// Changes a batch and makes its checksum fit again.
pub(super) fn tampered(batch: &Bytes, tamper: impl FnOnce(&mut [u8])) -> Bytes {
    const CRC_AT: std::ops::Range<usize> = 17..21;
    let mut bytes = batch.to_vec();
    tamper(&mut bytes);
    let crc = crc32c::crc32c(&bytes[CRC_AT.end..]);
    bytes[CRC_AT].copy_from_slice(&crc.to_be_bytes());
    Bytes::from(bytes)
}

/// A request for one partition, named by its topic's name.
pub(super) fn produce(topic: &str, partition: i32, records: Bytes) -> ProduceRequest {
    let data = PartitionProduceData { index: partition, records: Some(Records::Bytes(records)) };
    let topic = TopicProduceData {
        name: Text::from(topic),
        partition_data: vec![data],
        ..TopicProduceData::default()
    };
    ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic], ..ProduceRequest::default() }
}

/// What became of the one partition of such a request.
pub(super) fn produced(port: &mut Port, request: &ProduceRequest) -> PartitionProduceResponse {
    port.call(9, request).responses[0].partition_responses[0].clone()
}

/// A request for one partition, named by its topic's name, that does not wait.
pub(super) fn fetch(topic: &str, partition: i32, offset: i64) -> FetchRequest {
    let wanted = FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic { topic: Text::from(topic), partitions: vec![wanted], ..FetchTopic::default() };
    FetchRequest { max_bytes: 1 << 20, topics: vec![topic], ..FetchRequest::default() }
}
