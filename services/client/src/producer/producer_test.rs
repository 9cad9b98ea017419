//! A producer against a broker that keeps sequence numbers as Kafka does, and misbehaves by a table.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aquifer_record::{Compression, batches, decode};
use aquifer_runtime::Runtime;
use aquifer_types::{PartitionIndex, Uuid};
use aquifer_wire::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use aquifer_wire::messages::produce_response::{
    LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use aquifer_wire::messages::{InitProducerIdResponse, MetadataResponse, ProduceRequest, ProduceResponse};
use aquifer_wire::{ApiKey, ErrorCode, Records, RequestBody, Text};
use proptest::prelude::*;

use super::{DeliveryError, Outgoing, Producer, ProducerSettings};
use crate::address::Address;
use crate::broker_test::{Answer, start, versions};
use crate::client::{Client, ClientSettings};
use crate::connection::ConnectionSettings;
use crate::connector::TcpConnector;
use crate::produce::Acks;

const PARTITIONS: i32 = 2;

/// What happens to one produce request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Appended,
    /// The connection ends before the broker looks at it.
    Lost,
    /// It is appended, and nobody hears of it.
    AnswerLost,
    Refused(ErrorCode),
    /// The broker forgets all producers first.
    Amnesia,
}

#[derive(Default)]
struct Log {
    values: Vec<String>,
    /// Epoch and next sequence number by producer id.
    producers: BTreeMap<i64, (i16, i32)>,
    /// First and last sequence numbers of recent batches with their base offsets.
    recent: Vec<(i64, i16, i32, i64)>,
    /// Of a producer that it does not know, as Kafka does; else it starts at zero.
    takes_any_first: bool,
}

#[derive(Default)]
struct Broker {
    logs: BTreeMap<i32, Log>,
    fates: Vec<Fate>,
    requests: usize,
    takes_any_first: bool,
}

impl Log {
    fn append(&mut self, records: &[u8]) -> Result<i64, ErrorCode> {
        let batch = batches(records).next().expect("a batch");
        assert!(batch.checksum_holds());
        let header = batch.header;
        let (id, epoch, sequence) = (header.producer_id.0, header.producer_epoch.0, header.base_sequence);
        if id >= 0 {
            let seen = |(other, at, first, _): &&(i64, i16, i32, i64)| {
                (*other, *at, *first) == (id, epoch, sequence)
            };
            if let Some((_, _, _, base)) = self.recent.iter().find(seen) {
                return Ok(*base);
            }
            match self.producers.get(&id) {
                Some((known, _)) if epoch < *known => return Err(ErrorCode::INVALID_PRODUCER_EPOCH),
                Some((known, next)) if epoch == *known && sequence != *next => {
                    return Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
                }
                Some((known, _)) if epoch > *known && sequence != 0 => {
                    return Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
                }
                None if sequence != 0 && !self.takes_any_first => {
                    return Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
                }
                _ => {}
            }
            self.producers.insert(id, (epoch, sequence + header.count));
        }
        let base = self.values.len() as i64;
        let mut scratch = Vec::new();
        for record in decode(&header, batch.body(), 1 << 20, &mut scratch).expect("unpacks") {
            let value = record.expect("a record").value.expect("a value");
            self.values.push(String::from_utf8(value.to_vec()).expect("text"));
        }
        self.recent.push((id, epoch, sequence, base));
        Ok(base)
    }
}

impl Broker {
    fn produce(&mut self, request: &ProduceRequest) -> Answer {
        let fate = self.fates.get(self.requests).copied().unwrap_or(Fate::Appended);
        self.requests += 1;
        if fate == Fate::Lost {
            return Answer::Close;
        }
        let mut partitions = Vec::new();
        for data in &request.topic_data[0].partition_data {
            let log = self.logs.entry(data.index).or_default();
            log.takes_any_first = self.takes_any_first;
            if fate == Fate::Amnesia {
                log.producers.clear();
                log.recent.clear();
            }
            let records = data.records.as_ref().and_then(Records::as_bytes).expect("bytes");
            let appended = match fate {
                Fate::Refused(code) => Err(code),
                _ => log.append(records),
            };
            partitions.push(PartitionProduceResponse {
                index: data.index,
                error_code: appended.err().unwrap_or(ErrorCode::NONE),
                base_offset: appended.unwrap_or(-1),
                ..Default::default()
            });
        }
        if fate == Fate::AnswerLost {
            return Answer::Close;
        }
        let topic = TopicProduceResponse {
            topic_id: request.topic_data[0].topic_id,
            partition_responses: partitions,
            ..Default::default()
        };
        Answer::Say(ProduceResponse { responses: vec![topic], ..Default::default() }.into())
    }
}

fn metadata(port: u16, name: Text) -> MetadataResponse {
    let host = Text::from_static("127.0.0.1");
    let partitions = (0..PARTITIONS).map(|partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        ..Default::default()
    });
    MetadataResponse {
        brokers: vec![MetadataResponseBroker { node_id: 1, host, port: i32::from(port), rack: None }],
        topics: vec![MetadataResponseTopic {
            name: Some(name),
            topic_id: Uuid::from_bytes([9; 16]),
            partitions: partitions.collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

async fn broker(fates: Vec<Fate>) -> (Address, Arc<Mutex<Broker>>) {
    let broker = Arc::new(Mutex::new(Broker { fates, ..Broker::default() }));
    let (shared, port) = (Arc::clone(&broker), Arc::new(AtomicU16::new(0)));
    let own_port = Arc::clone(&port);
    let address = start(move |_, body| match body {
        RequestBody::ApiVersions(_) => Answer::Say(versions().into()),
        RequestBody::Metadata(request) => {
            let name = request.topics.and_then(|topics| topics.into_iter().next()?.name);
            let name = name.unwrap_or_default();
            Answer::Say(metadata(own_port.load(Ordering::SeqCst), name).into())
        }
        RequestBody::InitProducerId(_) => {
            Answer::Say(InitProducerIdResponse { producer_id: 42, ..Default::default() }.into())
        }
        RequestBody::Produce(request) => shared.lock().expect("no holder panics").produce(&request),
        _ => Answer::Close,
    })
    .await;
    port.store(address.port, Ordering::SeqCst);
    (address, broker)
}

fn producer(address: Address, settings: ProducerSettings) -> Producer {
    let connection = ConnectionSettings { request_timeout: Duration::from_secs(5), ..Default::default() };
    let settings_of_client =
        ClientSettings { bootstrap: vec![address], connection, retry_for: Duration::from_secs(5) };
    Producer::new(Client::new(Runtime::real(), Arc::new(TcpConnector), settings_of_client), settings)
}

fn small_batches() -> ProducerSettings {
    ProducerSettings { linger: Duration::ZERO, batch_bytes_max: 120, ..ProducerSettings::default() }
}

fn to(partition: i32, value: &str) -> Outgoing<'_> {
    let partition = Some(PartitionIndex(partition));
    Outgoing { topic: "orders", partition, value: Some(value.as_bytes()), ..Outgoing::default() }
}

/// Sends `count` numbered records over all partitions; says where each came to stand.
async fn send_all(producer: &Producer, count: usize) -> Vec<Result<(i32, Option<i64>), DeliveryError>> {
    let mut deliveries = Vec::new();
    for number in 0..count {
        let value = number.to_string();
        let partition = (number % PARTITIONS as usize) as i32;
        deliveries.push(producer.send(to(partition, &value)).await.expect("taken"));
    }
    producer.flush().await;
    let mut settled = Vec::new();
    for delivery in deliveries {
        let delivered = delivery.wait().await;
        settled.push(delivered.map(|it| (it.partition.0, it.offset.map(|offset| offset.0))));
    }
    settled
}

fn expected(partition: i32, count: usize) -> Vec<String> {
    (0..count)
        .filter(|number| (number % PARTITIONS as usize) as i32 == partition)
        .map(|n| n.to_string())
        .collect()
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Appended),
        1 => Just(Fate::Lost),
        2 => Just(Fate::AnswerLost),
        1 => Just(Fate::Refused(ErrorCode::NOT_LEADER_OR_FOLLOWER)),
        1 => Just(Fate::Refused(ErrorCode::NOT_ENOUGH_REPLICAS)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_record_stands_once_and_in_order_whatever_happens_to_requests(
        fates in prop::collection::vec(fate(), 0..12),
        takes_any_first in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("runtime").block_on(async {
            let (address, broker) = broker(fates).await;
            broker.lock().expect("no holder panics").takes_any_first = takes_any_first;
            let producer = producer(address, small_batches());

            let settled = send_all(&producer, 60).await;

            let broker = broker.lock().expect("no holder panics");
            for partition in 0..PARTITIONS {
                assert_eq!(broker.logs[&partition].values, expected(partition, 60));
            }
            for (number, delivered) in settled.into_iter().enumerate() {
                let (partition, offset) = delivered.expect("delivered");
                let offset = offset.expect("acknowledged") as usize;
                assert_eq!(broker.logs[&partition].values[offset], number.to_string());
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_forgot_the_producer_is_told_of_a_new_epoch() {
    let (address, broker) = broker(vec![Fate::Appended, Fate::Appended, Fate::Amnesia]).await;
    let producer = producer(address, small_batches());

    for part in 0..4 {
        let value = part.to_string();
        let delivery = producer.send(to(0, &value)).await.expect("taken");
        delivery.wait().await.expect("delivered");
    }

    let broker = broker.lock().expect("no holder panics");
    assert_eq!(broker.logs[&0].values, ["0", "1", "2", "3"]);
    assert_eq!(broker.logs[&0].producers[&42], (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_batch_fails_alone_and_those_behind_it_go_on() {
    let (address, broker) = broker(vec![Fate::Refused(ErrorCode::INVALID_RECORD)]).await;
    let producer = producer(address, small_batches());

    let first = producer.send(to(0, "bad")).await.expect("taken");
    let refused = first.wait().await.expect_err("refused");
    let settled = send_all(&producer, 20).await;

    assert!(matches!(refused, DeliveryError::Refused { code: ErrorCode::INVALID_RECORD, .. }), "{refused}");
    assert!(settled.iter().all(Result::is_ok));
    assert_eq!(broker.lock().expect("no holder panics").logs[&0].values, expected(0, 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_acknowledged_in_time_fails_with_the_last_error() {
    let (address, _) = broker(vec![Fate::Refused(ErrorCode::NOT_ENOUGH_REPLICAS); 10_000]).await;
    let settings = ProducerSettings { delivery_timeout: Duration::from_millis(200), ..small_batches() };
    let producer = producer(address, settings);

    let delivery = producer.send(to(0, "never")).await.expect("taken");
    let error = delivery.wait().await.expect_err("too late");

    let DeliveryError::TimedOut { last: Some(last) } = error else { panic!("{error}") };
    assert_eq!(last.code(), Some(ErrorCode::NOT_ENOUGH_REPLICAS));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_buffer_makes_senders_wait_until_batches_are_settled() {
    let (address, broker) = broker(Vec::new()).await;
    let settings = ProducerSettings { buffer_bytes_max: 300, ..small_batches() };
    let producer = producer(address, settings);

    let settled = send_all(&producer, 200).await;

    assert!(settled.iter().all(Result::is_ok));
    assert_eq!(broker.lock().expect("no holder panics").logs[&1].values, expected(1, 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_buffer_is_sent_however_long_it_was_to_linger() {
    let (address, broker) = broker(Vec::new()).await;
    let settings = ProducerSettings {
        linger: Duration::from_secs(3_600),
        buffer_bytes_max: 300,
        ..ProducerSettings::default()
    };
    let producer = producer(address, settings);

    for number in 0..20 {
        let value = number.to_string();
        producer.send(to(0, &value)).await.expect("taken once there is room");
    }

    assert!(!broker.lock().expect("no holder panics").logs[&0].values.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_go_where_kafka_puts_them_and_every_codec_is_read() {
    for compression in Compression::ALL {
        let (address, broker) = broker(Vec::new()).await;
        let settings = ProducerSettings { encoding: compression.into(), ..ProducerSettings::default() };
        let producer = producer(address, settings);

        let keyed =
            Outgoing { topic: "orders", key: Some(b"foobar"), value: Some(b"x"), ..Outgoing::default() };
        let delivered = producer.send(keyed).await.expect("taken").wait().await.expect("delivered");

        let partition = super::partition_of_key(b"foobar", PARTITIONS as usize);
        assert_eq!(delivered.partition, partition);
        assert_eq!(broker.lock().expect("no holder panics").logs[&partition.0].values, ["x"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_producer_takes_nothing_and_a_dropped_one_ends_what_was_not_sent() {
    let (address, _) = broker(Vec::new()).await;
    let patient = ProducerSettings { linger: Duration::from_secs(60), ..ProducerSettings::default() };
    let first = producer(address.clone(), small_batches());
    let second = producer(address, patient);

    first.close().await;
    let refused = first.send(to(0, "late")).await.expect_err("closed");
    let delivery = second.send(to(0, "lingers")).await.expect("taken");
    drop(second);

    assert!(matches!(refused, super::SendError::Closed));
    assert!(matches!(delivery.wait().await, Err(DeliveryError::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_the_topic_does_not_have_is_refused_at_once() {
    let (address, _) = broker(Vec::new()).await;
    let producer = producer(address, ProducerSettings { acks: Acks::All, ..small_batches() });

    let refused = producer.send(to(7, "nowhere")).await.expect_err("no such partition");

    assert!(matches!(refused, super::SendError::NoSuchPartition { partition: 7, partitions: 2 }));
}

/// A broker that leads nothing any more, and says who does.
async fn deposed(successor: Address, asked: Arc<Mutex<Vec<ApiKey>>>) -> Address {
    let port = Arc::new(AtomicU16::new(0));
    let own_port = Arc::clone(&port);
    let address = start(move |frame, body| {
        asked.lock().expect("no holder panics").push(frame.key);
        match body {
            RequestBody::ApiVersions(_) => Answer::Say(versions().into()),
            RequestBody::Metadata(request) => {
                let name = request.topics.and_then(|topics| topics.into_iter().next()?.name);
                let port = own_port.load(Ordering::SeqCst);
                Answer::Say(metadata(port, name.unwrap_or_default()).into())
            }
            RequestBody::InitProducerId(_) => {
                Answer::Say(InitProducerIdResponse { producer_id: 42, ..Default::default() }.into())
            }
            RequestBody::Produce(request) => Answer::Say(moved_to(&successor, &request).into()),
            _ => Answer::Close,
        }
    })
    .await;
    port.store(address.port, Ordering::SeqCst);
    address
}

fn moved_to(successor: &Address, request: &ProduceRequest) -> ProduceResponse {
    let part = PartitionProduceResponse {
        index: request.topic_data[0].partition_data[0].index,
        error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER,
        current_leader: LeaderIdAndEpoch { leader_id: 2, leader_epoch: 9 },
        ..Default::default()
    };
    let topic_id = request.topic_data[0].topic_id;
    let topic = TopicProduceResponse { topic_id, partition_responses: vec![part], ..Default::default() };
    let host = Text::from(successor.host.as_str());
    let endpoint = NodeEndpoint { node_id: 2, host, port: i32::from(successor.port), rack: None };
    ProduceResponse { responses: vec![topic], node_endpoints: vec![endpoint], ..Default::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_named_with_a_refusal_is_gone_to_without_asking() {
    let (successor, broker) = broker(Vec::new()).await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let producer = producer(deposed(successor, Arc::clone(&asked)).await, small_batches());

    let delivery = producer.send(to(0, "moved")).await.expect("taken");
    delivery.wait().await.expect("delivered");

    assert_eq!(broker.lock().expect("no holder panics").logs[&0].values, ["moved"]);
    let asked = asked.lock().expect("no holder panics");
    assert_eq!(asked.iter().filter(|key| **key == ApiKey::Metadata).count(), 1, "{asked:?}");
}
