//! Connections to a broker that answers well, badly, late or never.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aquifer_runtime::Runtime;
use aquifer_types::{PartitionIndex, TopicId};
use aquifer_wire::messages::{
    ApiVersionsResponse, FetchRequest, FetchResponse, InitProducerIdRequest, InitProducerIdResponse,
    MetadataRequest,
};
use aquifer_wire::{ApiKey, ErrorCode, Piece, Records, RequestBody, RequestFrame, Text};
use bytes::Bytes;

use crate::address::Address;
use crate::broker_test::{Answer, start, versions};
use crate::connection::{Connection, ConnectionSettings};
use crate::connector::TcpConnector;
use crate::error::{CallError, Closed, ConnectError};
use crate::produce::Acks;

async fn open(address: &Address) -> Connection {
    open_with(address, &ConnectionSettings::default()).await.expect("connects")
}

async fn open_with(address: &Address, settings: &ConnectionSettings) -> Result<Connection, ConnectError> {
    Connection::open(&Runtime::real(), &TcpConnector, address, settings).await
}

/// Answers InitProducerId with the id that was sent, everything else as `table` says.
fn echo(frame: &RequestFrame, body: &RequestBody) -> Option<Answer> {
    match body {
        RequestBody::ApiVersions(_) => Some(Answer::Say(versions().into())),
        RequestBody::InitProducerId(request) => {
            assert_eq!(frame.key, ApiKey::InitProducerId);
            let response = InitProducerIdResponse { producer_id: request.producer_id, ..Default::default() };
            Some(Answer::Say(response.into()))
        }
        _ => None,
    }
}

fn numbered(id: i64) -> InitProducerIdRequest {
    InitProducerIdRequest { producer_id: id, ..InitProducerIdRequest::default() }
}

#[tokio::test]
async fn answers_find_their_requests_however_many_are_under_way() {
    let address = start(|frame, body| echo(&frame, &body).unwrap_or(Answer::Close)).await;
    let settings = ConnectionSettings { in_flight_requests_max: 7, ..ConnectionSettings::default() };
    let connection = open_with(&address, &settings).await.expect("connects");

    let calls = (0..200).map(|id| {
        let connection = connection.clone();
        Runtime::real().spawn("caller", async move { connection.call(&numbered(id)).await })
    });
    let calls: Vec<_> = calls.collect();

    for (id, call) in calls.into_iter().enumerate() {
        let response = call.await.expect("ran").expect("answered");
        assert_eq!(response.producer_id, id as i64);
    }
}

#[tokio::test]
async fn a_large_answer_arrives_whole_and_its_head_alone_where_only_that_is_wanted() {
    let records: Bytes = (0..3_000_000u32).map(|index| (index % 253) as u8).collect();
    let served = records.clone();
    let address = start(move |frame, body| match body {
        RequestBody::Fetch(_) => Answer::Say(fetched(served.clone()).into()),
        _ => echo(&frame, &body).unwrap_or(Answer::Close),
    })
    .await;
    let connection = open(&address).await;

    let head = connection.begin_head(&FetchRequest::default(), 100).await.expect("sent").frame().await;
    let whole = connection.call(&FetchRequest::default()).await.expect("answered");
    let after = connection.call(&numbered(5)).await.expect("answered");

    assert_eq!(whole, fetched(records.clone()));
    let head = head.expect("answered");
    assert_eq!(head.bytes.len(), 100);
    assert!(head.length > records.len() && head.length < records.len() + 200);
    assert_eq!(after.producer_id, 5);
}

fn fetched(records: Bytes) -> FetchResponse {
    use aquifer_wire::messages::fetch_response::{FetchableTopicResponse, PartitionData};
    let partition = PartitionData { records: Some(Records::Bytes(records)), ..Default::default() };
    let topic = FetchableTopicResponse { partitions: vec![partition], ..Default::default() };
    FetchResponse { responses: vec![topic], ..Default::default() }
}

#[tokio::test]
async fn requests_of_megabytes_pass_a_socket_that_takes_less_at_a_time() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let address = start(move |frame, body| {
        let RequestBody::Produce(request) = &body else {
            return echo(&frame, &body).unwrap_or(Answer::Close);
        };
        let records = request.topic_data[0].partition_data[0].records.as_ref().expect("records");
        counted.fetch_add(records.len(), Ordering::SeqCst);
        Answer::Nothing
    })
    .await;
    let connection = open(&address).await;
    let batch = Bytes::from(vec![7; 5_000_000]);
    let request = Acks::None.request(&Text::from_static("t"), TopicId::default(), PartitionIndex(0), batch);

    for _ in 0..20 {
        connection.send_one_way(&request).await.expect("sent");
    }
    connection.call(&numbered(1)).await.expect("answered after all that");

    assert_eq!(seen.load(Ordering::SeqCst), 100_000_000);
}

#[tokio::test]
async fn a_request_that_is_not_answered_ends_the_connection_for_all() {
    let address = start(|frame, body| echo(&frame, &body).unwrap_or(Answer::Nothing)).await;
    let settings = ConnectionSettings { request_timeout: Duration::from_millis(30), ..Default::default() };
    let connection = open_with(&address, &settings).await.expect("connects");

    let unanswered = connection.call(&MetadataRequest::default()).await;
    let later = connection.call(&numbered(1)).await;

    assert!(matches!(unanswered, Err(CallError::TimedOut)), "{unanswered:?}");
    assert!(matches!(later, Err(CallError::Closed(Closed::TimedOut))), "{later:?}");
}

#[tokio::test]
async fn a_broker_that_hangs_up_fails_every_call_under_way() {
    let address = start(|frame, body| echo(&frame, &body).unwrap_or(Answer::Close)).await;
    let connection = open(&address).await;

    let mut first = connection.begin(&MetadataRequest::default()).await.expect("sent");
    let second = connection.call(&numbered(1)).await;

    assert!(matches!(first.answer().await, Err(CallError::Closed(_))));
    assert!(matches!(second, Err(CallError::Closed(_))));
    assert!(connection.closed().is_some());
}

#[tokio::test]
async fn an_answer_to_something_else_ends_the_connection() {
    let stray = [&8i32.to_be_bytes()[..], &999i32.to_be_bytes(), &[0; 4]].concat();
    let address = start(move |frame, body| echo(&frame, &body).unwrap_or(Answer::Raw(stray.clone()))).await;
    let connection = open(&address).await;

    let called = connection.call(&MetadataRequest::default()).await;

    let Err(CallError::Closed(Closed::OutOfOrder { answered: 999, expected: Some(_) })) = called else {
        panic!("{called:?}");
    };
}

#[tokio::test]
async fn an_answer_longer_than_allowed_is_refused_before_any_of_it_is_read() {
    let address = start(move |frame, body| {
        echo(&frame, &body).unwrap_or_else(|| Answer::Raw([&i32::MAX.to_be_bytes()[..], &[0; 8]].concat()))
    })
    .await;
    let connection = open(&address).await;

    let called = connection.call(&MetadataRequest::default()).await;

    assert!(matches!(called, Err(CallError::Closed(Closed::FrameLength { length: i32::MAX }))));
}

#[tokio::test]
async fn an_older_broker_is_asked_for_its_versions_again_in_one_it_knows() {
    let address = start(|frame, body| {
        let RequestBody::ApiVersions(_) = &body else { return Answer::Close };
        let refused = frame.header.api_version > 2;
        let error_code = if refused { ErrorCode::UNSUPPORTED_VERSION } else { ErrorCode::NONE };
        let mut response = ApiVersionsResponse { error_code, ..versions() };
        for api in response.api_keys.iter_mut().filter(|api| api.api_key == 18) {
            api.max_version = 2;
        }
        Answer::Say(response.into())
    })
    .await;

    let connection = open(&address).await;

    assert_eq!(connection.versions().advertised(18), Some((0, 2)));
    assert_eq!(connection.version::<FetchRequest>().ok(), Some(18));
}

#[tokio::test]
async fn a_broker_that_never_says_its_versions_is_given_up() {
    let address = start(|_, _| Answer::Nothing).await;
    let settings = ConnectionSettings { connect_timeout: Duration::from_millis(30), ..Default::default() };

    let opened = open_with(&address, &settings).await.map(|_| ());

    assert!(matches!(
        opened,
        Err(ConnectError::TimedOut { .. } | ConnectError::Versions { source: CallError::TimedOut, .. })
    ));
}

#[tokio::test]
async fn frames_of_keys_unknown_here_pass_as_they_are() {
    let address = start(|frame, body| echo(&frame, &body).unwrap_or(Answer::Close)).await;
    let connection = open(&address).await;

    let answer = connection
        .call_raw(|id| {
            let body = [&31_000i16.to_be_bytes()[..], &0i16.to_be_bytes(), &id.to_be_bytes(), b"hello"];
            let body = body.concat();
            let size = (body.len() as i32).to_be_bytes();
            Ok(vec![Piece::Bytes(Bytes::copy_from_slice(&size)), Piece::Bytes(Bytes::from(body))])
        })
        .await
        .expect("answered");

    assert_eq!(&answer.bytes[4..], b"hello");
}

#[tokio::test]
async fn an_api_that_the_broker_lacks_is_refused_without_asking() {
    let address = start(|_, _| {
        let mut response = versions();
        response.api_keys.retain(|api| api.api_key == 18);
        Answer::Say(response.into())
    })
    .await;
    let connection = open(&address).await;

    let called = connection.call(&MetadataRequest::default()).await;

    assert!(matches!(called, Err(CallError::Unsupported { api: ApiKey::Metadata })));
}
