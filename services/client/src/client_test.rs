//! A client against a broker that loses leaders, connections and answers.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aquifer_runtime::Runtime;
use aquifer_types::{Offset, PartitionIndex, Uuid};
use aquifer_wire::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use aquifer_wire::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use aquifer_wire::messages::{InitProducerIdResponse, MetadataResponse, ProduceResponse};
use aquifer_wire::{ApiKey, ErrorCode, RequestBody, Text};
use bytes::Bytes;

use crate::address::Address;
use crate::broker_test::{Answer, start, versions};
use crate::client::{Client, ClientSettings};
use crate::connection::ConnectionSettings;
use crate::connector::TcpConnector;
use crate::error::ClientError;
use crate::produce::{Acks, Produced};

/// What becomes of a produce request.
enum Fate {
    Answered(ErrorCode),
    Unanswered,
    Disconnected,
}

/// A broker that leads partition 0 of every topic, and does with produce requests what `fate` says, by how many
/// came before. Notes the keys it was asked.
async fn broker(fate: impl Fn(usize) -> Fate + Send + Sync + 'static) -> (Address, Arc<Mutex<Vec<ApiKey>>>) {
    let (asked, port, count) =
        (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU16::new(0)), AtomicUsize::new(0));
    let (noted, own_port) = (Arc::clone(&asked), Arc::clone(&port));
    let address = start(move |frame, body| {
        noted.lock().expect("no holder panics").push(frame.key);
        match body {
            RequestBody::ApiVersions(_) => Answer::Say(versions().into()),
            RequestBody::Metadata(request) => {
                let names = request.topics.unwrap_or_default().into_iter().filter_map(|topic| topic.name);
                Answer::Say(metadata(own_port.load(Ordering::SeqCst), names).into())
            }
            RequestBody::Produce(_) => match fate(count.fetch_add(1, Ordering::SeqCst)) {
                Fate::Answered(code) => Answer::Say(answered(code).into()),
                Fate::Unanswered => Answer::Nothing,
                Fate::Disconnected => Answer::Close,
            },
            RequestBody::InitProducerId(_) => {
                let response =
                    InitProducerIdResponse { producer_id: 42, producer_epoch: 3, ..Default::default() };
                Answer::Say(response.into())
            }
            _ => Answer::Close,
        }
    })
    .await;
    port.store(address.port, Ordering::SeqCst);
    (address, asked)
}

fn metadata(port: u16, names: impl Iterator<Item = Text>) -> MetadataResponse {
    let broker = MetadataResponseBroker {
        node_id: 1,
        host: Text::from_static("127.0.0.1"),
        port: i32::from(port),
        rack: None,
    };
    let topics = names.map(|name| MetadataResponseTopic {
        name: Some(name),
        topic_id: Uuid::from_bytes([9; 16]),
        partitions: vec![
            MetadataResponsePartition { leader_id: 1, ..Default::default() },
            MetadataResponsePartition { partition_index: 1, leader_id: -1, ..Default::default() },
        ],
        ..Default::default()
    });
    MetadataResponse {
        brokers: vec![broker],
        controller_id: 1,
        topics: topics.collect(),
        ..Default::default()
    }
}

fn answered(error_code: ErrorCode) -> ProduceResponse {
    let partition = PartitionProduceResponse { error_code, base_offset: 77, ..Default::default() };
    let topic = TopicProduceResponse { partition_responses: vec![partition], ..Default::default() };
    ProduceResponse { responses: vec![topic], ..Default::default() }
}

fn client(bootstrap: Vec<Address>) -> Client {
    let connection = ConnectionSettings { request_timeout: Duration::from_millis(200), ..Default::default() };
    let settings = ClientSettings { bootstrap, connection, retry_for: Duration::from_secs(5) };
    Client::new(Runtime::real(), Arc::new(TcpConnector), settings)
}

async fn produce(client: &Client) -> Result<Option<Produced>, ClientError> {
    client.produce("orders", PartitionIndex(0), Acks::All, &Bytes::from_static(b"batch")).await
}

#[tokio::test]
async fn a_produce_that_meets_a_new_leader_asks_for_metadata_and_tries_again() {
    let (address, asked) = broker(|before| match before {
        0 => Fate::Answered(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        _ => Fate::Answered(ErrorCode::NONE),
    })
    .await;

    let produced = produce(&client(vec![address])).await.expect("produced");

    assert_eq!(produced.map(|produced| produced.base), Some(Offset(77)));
    let asked = asked.lock().expect("no holder panics").clone();
    let without_versions: Vec<ApiKey> = asked.into_iter().filter(|key| *key != ApiKey::ApiVersions).collect();
    assert_eq!(without_versions, [ApiKey::Metadata, ApiKey::Produce, ApiKey::Metadata, ApiKey::Produce]);
}

#[tokio::test]
async fn a_lost_connection_and_a_lost_answer_are_tried_again_on_a_new_one() {
    let (address, _) = broker(|before| match before {
        0 => Fate::Disconnected,
        1 => Fate::Unanswered,
        _ => Fate::Answered(ErrorCode::NONE),
    })
    .await;

    let produced = produce(&client(vec![address])).await.expect("produced");

    assert_eq!(produced.map(|produced| produced.base), Some(Offset(77)));
}

#[tokio::test]
async fn an_error_that_lasts_is_not_tried_again() {
    let (address, asked) = broker(|_| Fate::Answered(ErrorCode::MESSAGE_TOO_LARGE)).await;

    let refused = produce(&client(vec![address])).await.expect_err("refused");

    assert_eq!(refused.code(), Some(ErrorCode::MESSAGE_TOO_LARGE));
    let asked = asked.lock().expect("no holder panics");
    assert_eq!(asked.iter().filter(|key| **key == ApiKey::Produce).count(), 1);
}

#[tokio::test]
async fn trying_again_ends_with_its_time_and_gives_the_last_error() {
    let (address, _) = broker(|_| Fate::Answered(ErrorCode::NOT_ENOUGH_REPLICAS)).await;
    let settings = ClientSettings {
        bootstrap: vec![address],
        connection: ConnectionSettings::default(),
        retry_for: Duration::from_millis(30),
    };
    let client = Client::new(Runtime::real(), Arc::new(TcpConnector), settings);

    let refused = produce(&client).await.expect_err("refused");

    assert_eq!(refused.code(), Some(ErrorCode::NOT_ENOUGH_REPLICAS));
}

#[tokio::test]
async fn a_bootstrap_address_that_is_dead_is_passed_over() {
    let (address, _) = broker(|_| Fate::Answered(ErrorCode::NONE)).await;
    let dead = Address { host: "127.0.0.1".to_owned(), port: 1 };

    let identity = client(vec![dead, address]).producer_identity().await.expect("granted");

    assert_eq!((identity.id.0, identity.epoch.0), (42, 3));
}

#[tokio::test]
async fn a_partition_without_leader_is_named_as_such() {
    let (address, _) = broker(|_| Fate::Answered(ErrorCode::NONE)).await;

    let leader = client(vec![address]).leader("orders", PartitionIndex(1)).await;

    assert!(matches!(leader, Err(ClientError::NoLeader { partition: 1, .. })));
}

#[tokio::test]
async fn many_calls_share_one_connection() {
    let (address, asked) = broker(|_| Fate::Answered(ErrorCode::NONE)).await;
    let client = client(vec![address]);

    let calls: Vec<_> = (0..20)
        .map(|_| {
            let client = client.clone();
            Runtime::real().spawn("caller", async move { produce(&client).await })
        })
        .collect();
    for call in calls {
        call.await.expect("ran").expect("produced");
    }

    let asked = asked.lock().expect("no holder panics");
    assert_eq!(asked.iter().filter(|key| **key == ApiKey::ApiVersions).count(), 1);
}
