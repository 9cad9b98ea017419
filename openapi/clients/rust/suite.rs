//! One round trip through every part of a gateway, with the client that is generated for Rust.

use std::fmt::Debug;

use aquifer_http::apis::configuration::Configuration;
use aquifer_http::apis::{Error, groups_api, records_api, sessions_api, topics_api};
use aquifer_http::models::{
    CloseSessionRequest, CommitSessionRequest, CreateTopicRequest, OpenSessionRequest, PollSessionRequest,
    PollSessionResponse, Problem, ProduceHeader, ProduceRecord, ProduceRequest, Record, SeekPosition,
    SeekSessionRequest, Values,
};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let base_path = std::env::args().nth(1).expect("the address of a gateway");
    let configuration = Configuration { base_path, ..Configuration::new() };
    topic(&configuration).await;
    produce(&configuration).await;
    read(&configuration).await;
    session(&configuration).await;
    errors(&configuration).await;
    newer();
}

/// The problem that a request is refused with.
fn refused<T: Debug, E: Debug>(status: u16, code: &str, answer: Result<T, Error<E>>) -> Problem {
    let Err(Error::ResponseError(refusal)) = answer else { panic!("not refused with {code}: {answer:?}") };
    let problem: Problem = serde_json::from_str(&refusal.content).expect("a problem");
    assert_eq!((refusal.status.as_u16(), problem.code.as_str()), (status, code));
    assert!(!problem.hint.is_empty());
    problem
}

fn offsets(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.offset.as_str()).collect()
}

fn partitions(count: i32) -> CreateTopicRequest {
    CreateTopicRequest { partitions: Some(count), ..CreateTopicRequest::new() }
}

async fn topic(at: &Configuration) {
    let configs = Some([("retention.ms".to_owned(), "3600000".to_owned())].into());
    let wanted = CreateTopicRequest { configs, ..partitions(1) };
    let made = topics_api::create_topic(at, "orders", Some(wanted)).await.expect("created");
    assert_eq!((made.name.as_str(), made.partitions.len()), ("orders", 1));
    topics_api::create_topic(at, "orders", Some(partitions(1))).await.expect("there already");
    let listed = topics_api::list_topics(at, None, None).await.expect("topics");
    assert!(listed.items.iter().any(|topic| topic.name == "orders"));
    let configs = topics_api::get_topic(at, "orders").await.expect("a topic").configs.expect("its configs");
    let retention = configs.into_iter().find(|config| config.name == "retention.ms").expect("a config");
    assert_eq!(retention.value.as_deref(), Some("3600000"));
}

async fn produce(at: &Configuration) {
    let append = async |records| {
        let request = ProduceRequest::new(records);
        records_api::produce_records(at, "orders", request, None, None, None, None, None, None)
            .await
            .expect("produced")
    };
    let header =
        ProduceHeader { value_text: Some("suite".to_owned()), ..ProduceHeader::new("origin".to_owned()) };
    let written = append(vec![
        ProduceRecord {
            key_text: Some("k".to_owned()),
            headers: Some(vec![header]),
            value_json: Some(Some(json!({"amount": 3, "paid": true, "lines": ["a"]}))),
            ..ProduceRecord::new()
        },
        ProduceRecord { value_text: Some("grüße".to_owned()), ..ProduceRecord::new() },
        ProduceRecord { value_base64: Some("AP8=".to_owned()), ..ProduceRecord::new() },
        ProduceRecord { key_text: Some("k".to_owned()), tombstone: Some(true), ..ProduceRecord::new() },
    ])
    .await;
    assert_eq!(written.failed, 0);
    let found: Vec<_> =
        written.results.iter().map(|result| result.offset.as_deref().expect("appended")).collect();
    assert_eq!(found, ["0", "1", "2", "3"]);

    // A body of bytes is a file to this generator.
    let body = std::env::temp_dir().join(format!("suite-{}", std::process::id()));
    std::fs::write(&body, "raw \0").expect("a file");
    let raw = records_api::produce_raw(at, "orders", body.clone(), Some("r"), None).await;
    std::fs::remove_file(body).expect("it was written");
    assert_eq!(raw.expect("produced").results[0].offset.as_deref(), Some("4"));

    let to = |partition, value: &str| ProduceRecord {
        partition: Some(partition),
        value_text: Some(value.to_owned()),
        ..ProduceRecord::new()
    };
    let some = append(vec![to(0, "in"), to(9, "out")]).await;
    assert_eq!((some.failed, some.results[0].offset.as_deref()), (1, Some("5")));
    assert_eq!(some.results[1].error.as_ref().expect("refused").code, "unknown_partition");
}

async fn read(at: &Configuration) {
    let read = async |from: &str| {
        let answer =
            records_api::read_records(at, "orders", 0, Some(from), None, None, None, Some(Values::Json));
        answer.await.expect("read")
    };
    let page = read("earliest").await;
    assert_eq!(offsets(&page.records), ["0", "1", "2", "3", "4", "5"]);
    let [first, text, binary, tombstone, raw, _] = page.records.as_slice() else { panic!("six") };
    assert_eq!(first.key_text.as_deref(), Some("k"));
    assert_eq!(first.value_json, Some(Some(json!({"amount": 3, "paid": true, "lines": ["a"]}))));
    assert_eq!((first.headers.len(), first.headers[0].name.as_str()), (1, "origin"));
    assert_eq!(first.headers[0].value_text.as_deref(), Some("suite"));
    assert_eq!((text.value_text.as_deref(), text.key_text.as_deref()), (Some("grüße"), None));
    assert_eq!(binary.value_base64.as_deref(), Some("AP8="));
    assert_eq!((tombstone.tombstone, tombstone.value_text.as_deref()), (Some(true), None));
    assert_eq!(raw.value_text.as_deref(), Some("raw \0"));
    assert_eq!((page.next_offset.as_str(), page.high_watermark.as_str()), ("6", "6"));
    assert!(read(&page.cursor).await.records.is_empty());
}

async fn poll(at: &Configuration, token: String, after: Option<String>) -> PollSessionResponse {
    let limits =
        PollSessionRequest { max_records: Some(4), wait_ms: Some(5000), ..PollSessionRequest::new(token) };
    sessions_api::poll_session(at, PollSessionRequest { after, ..limits }).await.expect("polled")
}

async fn session(at: &Configuration) {
    let wanted = OpenSessionRequest {
        from: Some("earliest".to_owned()),
        ..OpenSessionRequest::new(vec!["orders".to_owned()])
    };
    let opened = sessions_api::open_session(at, "billing", wanted).await.expect("opened");
    let mut polled = poll(at, opened.token, None).await;
    let mut seen = polled.records;
    while seen.len() < 6 {
        polled = poll(at, polled.token, Some(polled.cursor)).await;
        seen.append(&mut polled.records);
    }
    assert_eq!(offsets(&seen), ["0", "1", "2", "3", "4", "5"]);
    let acknowledged = CommitSessionRequest::new(polled.cursor, polled.token);
    let committed = sessions_api::commit_session(at, acknowledged).await.expect("committed");
    assert_eq!(committed.committed.iter().map(|place| place.offset.as_str()).collect::<Vec<_>>(), ["6"]);
    let lag = groups_api::get_group_lag(at, "billing").await.expect("a lag");
    assert_eq!((lag.items[0].offset.as_deref(), lag.total_lag.as_str()), (Some("6"), "0"));

    let position =
        SeekPosition { partition: Some(0), ..SeekPosition::new("4".to_owned(), "orders".to_owned()) };
    let elsewhere = SeekSessionRequest::new(vec![position], committed.token);
    let sought = sessions_api::seek_session(at, elsewhere).await.expect("sought");
    let again = poll(at, sought.token, Some(sought.cursor)).await;
    assert_eq!(offsets(&again.records), ["4", "5"]);
    let last = CloseSessionRequest { ack: Some(again.cursor), ..CloseSessionRequest::new(again.token) };
    let closed = sessions_api::close_session(at, last).await.expect("closed");
    assert_eq!(closed.committed.iter().map(|place| place.offset.as_str()).collect::<Vec<_>>(), ["6"]);
    assert!(groups_api::get_group(at, "billing").await.expect("a group").members.is_empty());
    groups_api::delete_group(at, "billing").await.expect("deleted");
}

async fn errors(at: &Configuration) {
    let missing = refused(404, "unknown_topic", topics_api::get_topic(at, "none").await);
    assert_eq!((missing.retryable, missing.topic.as_deref()), (false, Some("none")));
    refused(409, "topic_exists", topics_api::create_topic(at, "orders", Some(partitions(2))).await);
    let beyond = records_api::read_records(at, "orders", 0, Some("99"), None, None, None, None).await;
    assert_eq!(refused(416, "offset_out_of_range", beyond).latest_offset.as_deref(), Some("6"));
    let forged = sessions_api::poll_session(at, PollSessionRequest::new("x".to_owned())).await;
    refused(400, "invalid_token", forged);
    topics_api::delete_topic(at, "orders").await.expect("deleted");
    refused(404, "unknown_topic", topics_api::delete_topic(at, "orders").await);
}

fn newer() {
    let text = r#"{"type":"t","title":"t","status":404,"detail":"d","code":"c","retryable":false,"hint":"h","unheard_of":[1]}"#;
    assert_eq!(serde_json::from_str::<Problem>(text).expect("a problem").code, "c");
}
