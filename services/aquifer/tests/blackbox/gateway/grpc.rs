//! gRPC, beside REST on the same port: one story told through both, and the streams that only gRPC has.

use std::time::Duration;

use aquifer_contract::v1::{
    ConsumeRequest, ConsumeStreamRequest, CreateTopicRequest, GetTopicRequest, Header, NewRecord,
    OpenProducerRequest, OpenSessionRequest, ProduceRequest, ProduceResponse, ProduceStreamRequest,
    ProducerPosition, ReadRequest, ReadResponse,
};
use aquifer_grpc::records_service_client::RecordsServiceClient;
use aquifer_grpc::sessions_service_client::SessionsServiceClient;
use aquifer_grpc::topics_service_client::TopicsServiceClient;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::http::Http;
use super::process::{GatewayProcess, in_thread, secret};
use crate::harness::{Node, data_dir};

fn reactor() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a reactor")
}

async fn channel(address: &str) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{address}")).expect("an address");
    endpoint.timeout(Duration::from_secs(60)).connect().await.expect("connected")
}

/// Messages that a test sends as it goes.
fn outgoing<T: Send + 'static>()
-> (mpsc::UnboundedSender<T>, impl futures_util::Stream<Item = T> + Send + 'static) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
        Some((receiver.recv().await?, receiver))
    });
    (sender, stream)
}

fn record(value: &str) -> NewRecord {
    NewRecord { value: Some(value.into()), partition: Some(0), ..NewRecord::default() }
}

fn produce(values: &[&str]) -> ProduceRequest {
    let records = values.iter().map(|value| record(value)).collect();
    ProduceRequest { topic: "t".to_owned(), records, ..ProduceRequest::default() }
}

fn code(status: &Status) -> &str {
    status.metadata().get("aquifer-code").and_then(|code| code.to_str().ok()).unwrap_or_default()
}

/// What came of each step, in words that do not depend on the wire.
type Story = Vec<String>;

fn told_by_rest(http: &Http, topic: &str) -> Story {
    let records = format!("/v1/topics/{topic}/records");
    let produce = |headers: &[(&str, &str)], body: Value| {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        let answer = http.send("POST", &records, &all, body.to_string().as_bytes()).json();
        match answer.get("code") {
            Some(code) => code.as_str().expect("text").to_owned(),
            None => {
                let results = answer["results"].as_array().expect("results").iter();
                let each = results.map(|it| match it.get("error") {
                    Some(problem) => problem["code"].as_str().expect("text").to_owned(),
                    None => format!(
                        "{}@{}{}",
                        it["partition"],
                        it["offset"].as_str().unwrap_or("?"),
                        if it["duplicate"] == true { " again" } else { "" }
                    ),
                });
                each.collect::<Vec<_>>().join(",")
            }
        }
    };
    let mut story = Story::new();
    story.push(
        http.get(&format!("/v1/topics/{topic}")).json()["code"].as_str().expect("a problem").to_owned(),
    );
    http.topic(topic, 2);
    story.push(produce(
        &[],
        json!({"records": [{"value_text": "a", "partition": 0}, {"value_text": "b", "partition": 5}]}),
    ));
    story.push(produce(&[], json!({"records": [{"key_text": "k", "tombstone": true, "partition": 1}]})));
    story.push(produce(
        &[("expected-offset", "7")],
        json!({"records": [{"value_text": "c", "partition": 0}]}),
    ));
    story.push(produce(
        &[("idempotency-key", "k")],
        json!({"records": [{"value_text": "d", "partition": 0}]}),
    ));
    story.push(produce(
        &[("idempotency-key", "k")],
        json!({"records": [{"value_text": "d", "partition": 0}]}),
    ));
    story.push(produce(
        &[("idempotency-key", "k")],
        json!({"records": [{"value_text": "e", "partition": 0}]}),
    ));
    for from in ["0", "-1", "x", "99"] {
        let page = http.get(&format!("/v1/topics/{topic}/partitions/0/records?from={from}")).json();
        story.push(match page.get("code") {
            Some(code) => code.as_str().expect("text").to_owned(),
            None => {
                let records = page["records"].as_array().expect("records").iter();
                let values: Vec<_> = records.map(|it| it["value_text"].as_str().expect("text")).collect();
                format!("{} to {}", values.join(","), page["next_offset"].as_str().expect("text"))
            }
        });
    }
    story
}

async fn told_by_grpc(address: &str, topic: &str) -> Story {
    let channel = channel(address).await;
    let mut topics = TopicsServiceClient::new(channel.clone());
    let mut records = RecordsServiceClient::new(channel);
    let mut story = Story::new();
    let missing = topics.get_topic(GetTopicRequest { topic: topic.to_owned() }).await.expect_err("not there");
    assert_eq!(missing.code(), Code::NotFound);
    story.push(code(&missing).to_owned());
    let new = CreateTopicRequest { topic: topic.to_owned(), partitions: Some(2), ..Default::default() };
    assert!(topics.create_topic(new.clone()).await.expect("created").into_inner().created);
    assert!(!topics.create_topic(new).await.expect("there").into_inner().created);
    let of = |value: &str, partition| NewRecord { partition: Some(partition), ..record(value) };
    let tombstone = NewRecord { partition: Some(1), key: Some(b"k".to_vec()), ..NewRecord::default() };
    let base = || ProduceRequest { topic: topic.to_owned(), ..ProduceRequest::default() };
    let key = Some("k".to_owned());
    for request in [
        ProduceRequest { records: vec![of("a", 0), of("b", 5)], ..base() },
        ProduceRequest { records: vec![tombstone], ..base() },
        ProduceRequest { records: vec![of("c", 0)], expected_offset: Some(7), ..base() },
        ProduceRequest { records: vec![of("d", 0)], idempotency_key: key.clone(), ..base() },
        ProduceRequest { records: vec![of("d", 0)], idempotency_key: key.clone(), ..base() },
        ProduceRequest { records: vec![of("e", 0)], idempotency_key: key, ..base() },
    ] {
        story.push(match records.produce(request).await {
            Err(status) => code(&status).to_owned(),
            Ok(answer) => {
                let results = answer.into_inner().results;
                let codes: Vec<_> =
                    results.iter().filter_map(|it| it.problem.as_ref()).map(|it| it.code.clone()).collect();
                // REST makes one problem of results that all failed alike.
                if codes.len() == results.len() {
                    codes[0].clone()
                } else {
                    let each = results.iter().map(|it| match &it.problem {
                        Some(problem) => problem.code.clone(),
                        None => format!(
                            "{}@{}{}",
                            it.partition.unwrap_or(-1),
                            it.offset.map_or("?".to_owned(), |offset| offset.to_string()),
                            if it.duplicate { " again" } else { "" }
                        ),
                    });
                    each.collect::<Vec<_>>().join(",")
                }
            }
        });
    }
    for from in ["0", "-1", "x", "99"] {
        let request =
            ReadRequest { topic: topic.to_owned(), from: from.to_owned(), ..ReadRequest::default() };
        story.push(match records.read(request).await {
            Err(status) => code(&status).to_owned(),
            Ok(page) => {
                let page = page.into_inner();
                let values: Vec<_> = page
                    .records
                    .iter()
                    .map(|it| String::from_utf8_lossy(it.value.as_deref().unwrap_or_default()).into_owned())
                    .collect();
                format!("{} to {}", values.join(","), page.next_offset)
            }
        });
    }
    story
}

/// Over REST with the messages of gRPC.
fn told_by_protobuf(http: &Http, topic: &str) -> Story {
    const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
    let post = |headers: &[(&str, &str)], records: Vec<NewRecord>| {
        let path = format!("/v1/topics/{topic}/records");
        let body = ProduceRequest { records, ..ProduceRequest::default() }.encode_to_vec();
        let answer = http.send("POST", &path, &[&[PROTOBUF], headers].concat(), &body);
        if answer.header("content-type") == Some("application/problem+json") {
            return answer.json()["code"].as_str().expect("text").to_owned();
        }
        assert_eq!(answer.header("content-type"), Some(PROTOBUF.1));
        let response = ProduceResponse::decode(&*answer.body).expect("a message");
        assert_eq!(answer.status, if response.failed == 0 { 200 } else { 207 });
        let each = response.results.iter().map(|it| match &it.problem {
            Some(problem) => problem.code.clone(),
            None => format!(
                "{}@{}{}",
                it.partition.expect("a place"),
                it.offset.expect("a place"),
                if it.duplicate { " again" } else { "" }
            ),
        });
        each.collect::<Vec<_>>().join(",")
    };
    let of = |value: &str, partition| NewRecord { partition: Some(partition), ..record(value) };
    let mut story = vec![post(&[], vec![of("a", 0)])];
    http.topic(topic, 2);
    let tombstone = NewRecord { partition: Some(1), key: Some(b"k".to_vec()), ..NewRecord::default() };
    story.push(post(&[], vec![of("a", 0), of("b", 5)]));
    story.push(post(&[], vec![tombstone]));
    story.push(post(&[("expected-offset", "7")], vec![of("c", 0)]));
    for value in ["d", "d", "e"] {
        story.push(post(&[("idempotency-key", "k")], vec![of(value, 0)]));
    }
    for from in ["0", "-1", "x", "99"] {
        let path = format!("/v1/topics/{topic}/partitions/0/records?from={from}");
        let answer = http.send("GET", &path, &[("accept", PROTOBUF.1)], b"");
        story.push(if answer.status == 200 {
            let page = ReadResponse::decode(&*answer.body).expect("a message");
            let values = page.records.iter().map(|it| it.value.clone().expect("a value"));
            let values: Vec<_> = values.map(|value| String::from_utf8(value).expect("text")).collect();
            format!("{} to {}", values.join(","), page.next_offset)
        } else {
            answer.json()["code"].as_str().expect("text").to_owned()
        });
    }
    story
}

#[test]
fn protobuf_over_rest_is_answered_as_it_is_accepted_and_refused_as_a_problem() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    let send =
        |headers: &[(&str, &str)], body: &[u8]| http.send("POST", "/v1/topics/t/records", headers, body);
    let message = ("content-type", "application/x-protobuf");
    let body = produce(&["a"]).encode_to_vec();

    let as_json = send(&[message, ("accept", "application/json")], &body).expect(200);
    assert_eq!(as_json["results"][0]["offset"], "0");
    let json = (("content-type", "application/json"), br#"{"records":[{"value_text":"b"}]}"#);
    let as_message = send(&[json.0, ("accept", message.1)], json.1);
    let response = ProduceResponse::decode(&*as_message.body).expect("a message");
    assert_eq!(response.results[0].offset, Some(1));

    send(&[message], &[255; 9]).problem(400, "malformed_body");
    let other = ProduceRequest { topic: "other".to_owned(), ..produce(&["a"]) };
    send(&[message], &other.encode_to_vec()).problem(400, "invalid_parameter");
    let twice = ProduceRequest { idempotency_key: Some("k".to_owned()), ..produce(&["a"]) };
    send(&[message, ("expected-offset", "2")], &twice.encode_to_vec()).problem(400, "invalid_parameter");
    let below = NewRecord { partition: Some(-1), ..record("a") };
    let below = ProduceRequest { records: vec![below], ..produce(&[]) };
    send(&[message], &below.encode_to_vec()).problem(422, "invalid_record");
}

#[test]
fn rest_and_grpc_tell_the_same_story() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let by_rest = told_by_rest(&Http::at(&node.http), "rest");
    let by_grpc = reactor().block_on(told_by_grpc(&node.http, "grpc"));
    assert_eq!(by_rest, by_grpc);
    assert_eq!(by_rest, told_by_protobuf(&Http::at(&node.http), "protobuf"));
    assert_eq!(
        by_rest,
        [
            "unknown_topic",
            "0@0,unknown_partition",
            "1@0",
            "unexpected_offset",
            "0@1",
            "0@1 again",
            "idempotency_conflict",
            "a,d to 2",
            "d to 2",
            "invalid_position",
            "offset_out_of_range",
        ]
    );
}

#[test]
fn a_stream_of_requests_is_answered_in_order_against_credit() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    Http::at(&node.http).topic("t", 1);
    reactor().block_on(async {
        let mut client = RecordsServiceClient::new(channel(&node.http).await);
        let (sender, requests) = outgoing();
        let mut answers = client.produce_stream(requests).await.expect("it begins").into_inner();
        let credit = answers.message().await.expect("alive").expect("credit").credit;
        assert!(credit > 100, "{credit}");
        for index in 0..100 {
            let request = Some(produce(&[&index.to_string()]));
            sender.send(ProduceStreamRequest { request }).expect("it listens");
        }
        let wrong = ProduceRequest { topic: "none".to_owned(), ..produce(&["x"]) };
        sender.send(ProduceStreamRequest { request: Some(wrong) }).expect("it listens");
        drop(sender);
        for index in 0..100 {
            let answer = answers.message().await.expect("alive").expect("an answer");
            assert_eq!(answer.credit, 1);
            assert_eq!(answer.response.expect("appended").results[0].offset, Some(index));
        }
        let last = answers.message().await.expect("alive").expect("an answer");
        assert_eq!(
            last.response.expect("told").results[0].problem.as_ref().expect("refused").code,
            "unknown_topic"
        );
        assert!(answers.message().await.expect("a clean end").is_none());
    });
}

#[test]
fn requests_of_a_stream_keep_their_order_while_brokers_are_asked_about_their_topic() {
    const STREAMS: usize = 40;
    const REQUESTS: i64 = 300;
    let folder = data_dir();
    let node = Node::start(folder.path());
    let topics: Vec<String> = (0..STREAMS).map(|number| format!("t{number}")).collect();
    let http = Http::at(&node.http);
    topics.iter().for_each(|topic| http.topic(topic, 1));
    reactor().block_on(async {
        let mut client = RecordsServiceClient::new(channel(&node.http).await);
        for topic in topics {
            let (sender, requests) = outgoing();
            for index in 0..REQUESTS {
                let request = ProduceRequest { topic: topic.clone(), ..produce(&[&index.to_string()]) };
                sender.send(ProduceStreamRequest { request: Some(request) }).expect("it listens");
            }
            drop(sender);
            let mut answers = client.produce_stream(requests).await.expect("it begins").into_inner();
            assert!(answers.message().await.expect("alive").expect("credit").credit > REQUESTS);
            for index in 0..REQUESTS {
                let answer = answers.message().await.expect("alive").expect("an answer");
                assert_eq!(answer.response.expect("appended").results[0].offset, Some(index), "{topic}");
            }
        }
    });
}

#[test]
fn producers_of_grpc_are_appended_once() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    Http::at(&node.http).topic("t", 1);
    reactor().block_on(async {
        let mut client = RecordsServiceClient::new(channel(&node.http).await);
        let opened = client.open_producer(OpenProducerRequest { topic: "t".to_owned() }).await;
        let opened = opened.expect("opened").into_inner();
        let position = |epoch, first| {
            let producer_id = opened.producer_id.clone();
            Some(ProducerPosition { producer_id, epoch, first_sequence: Some(first), state: None })
        };
        let numbered =
            |epoch, first| ProduceRequest { producer: position(epoch, first), ..produce(&["a", "b"]) };
        for again in [false, true] {
            let answer = client.produce(numbered(0, 0)).await.expect("appended").into_inner();
            assert!(answer.results.iter().all(|it| it.duplicate == again));
            assert_eq!(answer.results[1].offset, Some(1));
        }
        let gap = client.produce(numbered(0, 9)).await.expect("told").into_inner();
        let problem = gap.results[0].problem.clone().expect("a gap");
        assert_eq!((problem.code.as_str(), problem.expected.as_deref()), ("sequence_gap", Some("2")));
        let forged = ProducerPosition { producer_id: "x".to_owned(), ..position(0, 0).expect("one") };
        let refused = client.produce(ProduceRequest { producer: Some(forged), ..produce(&["a"]) }).await;
        assert_eq!(refused.expect_err("forged").code(), Code::InvalidArgument);
    });
}

#[test]
fn a_follower_is_killed_with_its_gateway_and_resumes_a_hundred_times_without_loss() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    let file = secret();
    let gateways =
        [GatewayProcess::start(&node.kafka, file.path()), GatewayProcess::start(&node.kafka, file.path())];
    let mut seen = Vec::new();
    reactor().block_on(async {
        let mut cursor = "earliest".to_owned();
        for round in 0..100_i64 {
            let values: Vec<String> = (0..10).map(|index| (round * 10 + index).to_string()).collect();
            let records: Vec<Value> = values.iter().map(|value| json!({"value_text": value})).collect();
            http.post("/v1/topics/t/records", &json!({"records": records})).expect(200);
            let gateway = &gateways[usize::try_from(round % 2).expect("0 or 1")];
            let mut client = RecordsServiceClient::new(channel(&gateway.http.address).await);
            let request = ConsumeRequest { topic: "t".to_owned(), partition: None, from: cursor.clone() };
            let mut stream = client.consume(request).await.expect("it begins").into_inner();
            loop {
                let page = stream.message().await.expect("alive").expect("more comes");
                cursor = page.cursor;
                if !page.records.is_empty() {
                    seen.extend(page.records.into_iter().map(|record| record.offset));
                    break;
                }
            }
        }
    });
    assert_eq!(seen, (0..1000).collect::<Vec<i64>>());
}

#[test]
fn a_follower_without_credit_is_told_that_its_gateway_stops() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let file = secret();
    let gateway = GatewayProcess::start(&node.kafka, file.path());
    gateway.http.topic("t", 1);
    reactor().block_on(async {
        let mut records = RecordsServiceClient::new(channel(&gateway.http.address).await);
        let (requests, stream) = outgoing();
        let follow = ConsumeRequest { topic: "t".to_owned(), ..ConsumeRequest::default() };
        requests.send(ConsumeStreamRequest { follow: Some(follow), ..Default::default() }).expect("open");
        let mut answers = records.consume_stream(stream).await.expect("followed").into_inner();
        let stopped = in_thread(move || gateway.stop());
        let told = answers.message().await.expect("no error").expect("a message");
        assert!(told.reconnect_advised && !told.cursor.is_empty(), "{told:?}");
        assert_eq!(answers.message().await.expect("no error"), None);
        assert!(stopped.join().expect("it ran"), "it ends well");
    });
}

#[test]
fn a_session_is_followed_against_credit_and_acknowledged_in_the_stream() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    reactor().block_on(async {
        let channel = channel(&node.http).await;
        let mut sessions = SessionsServiceClient::new(channel.clone());
        let mut records = RecordsServiceClient::new(channel);
        let header = Header { name: "h".to_owned(), value: None };
        let mut first = produce(&["a", "b", "c", "d"]);
        first.records[0].headers.push(header.clone());
        records.produce(first).await.expect("appended");
        let open = OpenSessionRequest {
            group: "g".to_owned(),
            topics: vec!["t".to_owned()],
            from: "earliest".to_owned(),
            ..OpenSessionRequest::default()
        };
        let opened = sessions.open_session(open).await.expect("opened").into_inner();
        let (sender, requests) = outgoing();
        let begin = ConsumeStreamRequest {
            session_token: Some(opened.token),
            credit: 3,
            ..ConsumeStreamRequest::default()
        };
        sender.send(begin).expect("it listens");
        let mut answers = records.consume_stream(requests).await.expect("it begins").into_inner();
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        while seen.len() < 3 {
            let answer = answers.message().await.expect("alive").expect("more comes");
            if let Some(first) = answer.records.first().filter(|record| record.offset == 0) {
                assert_eq!(first.headers, std::slice::from_ref(&header));
            }
            seen.extend(answer.records.into_iter().map(|record| record.value.unwrap_or_default()));
            cursor = answer.cursor;
        }
        assert_eq!(seen, [b"a", b"b", b"c"], "no more than there is credit for");
        let more = ConsumeStreamRequest { credit: 10, ack: Some(cursor), ..ConsumeStreamRequest::default() };
        sender.send(more).expect("it listens");
        while seen.len() < 4 {
            let answer = answers.message().await.expect("alive").expect("more comes");
            seen.extend(answer.records.into_iter().map(|record| record.value.unwrap_or_default()));
        }
        assert_eq!(seen[3], b"d");
    });
    let offsets = http.get("/v1/groups/g/offsets").expect(200);
    assert_eq!(offsets["items"][0]["offset"], "3", "{offsets}");
}
