//! Requests that are sent again, through any gateway, and records that stand there once.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::{Value, json};

use super::http::{Answer, Http};
use super::process::{GatewayProcess, in_thread, secret};
use crate::harness::{Node, data_dir};

fn open(http: &Http, topic: &str) -> Value {
    http.post("/v1/producers", &json!({"topic": topic})).expect(201)
}

fn send(http: &Http, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut all = vec![("content-type", "application/json")];
    all.extend_from_slice(headers);
    http.send("POST", "/v1/topics/t/records", &all, body.to_string().as_bytes())
}

fn numbered(http: &Http, producer: &Value, epoch: i32, sequence: i32, values: &[&str]) -> Answer {
    let records: Vec<Value> =
        values.iter().map(|value| json!({"value_text": value, "partition": 0})).collect();
    let (epoch, sequence) = (epoch.to_string(), sequence.to_string());
    let id = producer["producer_id"].as_str().expect("an id");
    let headers = [("producer-id", id), ("producer-epoch", &*epoch), ("producer-seq", &*sequence)];
    send(http, &headers, &json!({"records": records}))
}

fn values(http: &Http, partition: i32) -> Vec<String> {
    let (mut values, mut from) = (Vec::new(), "earliest".to_owned());
    loop {
        let page = http.get(&format!("/v1/topics/t/partitions/{partition}/records?from={from}")).expect(200);
        let records = page["records"].as_array().expect("records");
        if records.is_empty() {
            return values;
        }
        values.extend(records.iter().map(|record| record["value_text"].as_str().expect("text").to_owned()));
        from = page["cursor"].as_str().expect("a cursor").to_owned();
    }
}

#[test]
fn a_session_tells_duplicates_gaps_and_epochs_also_after_a_restart() {
    let folder = data_dir();
    let mut node = Node::start(folder.path());
    let mut http = Http::at(&node.http);
    http.topic("t", 2);
    let producer = open(&http, "t");
    let first = numbered(&http, &producer, 0, 0, &["a", "b"]).expect(200);
    assert_eq!(first["results"], json!([{"partition": 0, "offset": "0"}, {"partition": 0, "offset": "1"}]));
    for round in 0..2 {
        let again = numbered(&http, &producer, 0, 0, &["a", "b"]);
        assert_eq!(again.header("duplicate"), Some("true"));
        let again = again.expect(200);
        assert_eq!(again["results"][1], json!({"partition": 0, "offset": "1", "duplicate": true}));
        let gap = numbered(&http, &producer, 0, 7, &["x"]).problem(409, "sequence_gap");
        assert_eq!((&gap["expected"], &gap["actual"]), (&json!("2"), &json!("7")));
        if round == 0 {
            node.kill();
            node = Node::start(folder.path());
            http = Http::at(&node.http);
        }
    }
    numbered(&http, &producer, 0, 2, &["c"]).expect(200);
    numbered(&http, &producer, 1, 0, &["d"]).expect(200);
    let fenced = numbered(&http, &producer, 0, 3, &["x"]).problem(403, "producer_fenced");
    assert_eq!(fenced["expected"], "1");
    assert_eq!(values(&http, 0), ["a", "b", "c", "d"]);

    // Whoever nobody knows begins with 0, also where another request got ahead of it.
    let other = open(&http, "t");
    let early = numbered(&http, &other, 0, 1, &["x"]).problem(409, "sequence_gap");
    assert_eq!(early["expected"], "0");

    // A batch older than what brokers remember is known not to be new, and where it stands is forgotten.
    for sequence in 0..8 {
        numbered(&http, &other, 0, sequence, &["e"]).expect(200);
    }
    let old = numbered(&http, &other, 0, 0, &["e"]).expect(200);
    assert_eq!(old["results"], json!([{"partition": 0, "duplicate": true}]));
    assert_eq!(values(&http, 0).len(), 12);
}

#[test]
fn a_request_for_several_partitions_goes_by_the_state_that_the_last_answer_told() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 3);
    let producer = open(&http, "t");
    let id = producer["producer_id"].as_str().expect("an id");
    let headers = [("producer-id", id), ("producer-epoch", "0")];
    let mut state = producer["producer_state"].clone();
    for round in 0..4 {
        let records: Vec<Value> = (0..9)
            .map(|index| json!({"value_text": format!("{round}-{index}"), "key_text": format!("k{index}")}))
            .collect();
        let body = json!({"records": records, "producer_state": state});
        let told = send(&http, &headers, &body).expect(200);
        let again = send(&http, &headers, &body);
        assert_eq!(again.header("duplicate"), Some("true"));
        let again = again.expect(200);
        let places = |answer: &Value| -> Vec<(Value, Value)> {
            let results = answer["results"].as_array().expect("results").clone();
            results.into_iter().map(|it| (it["partition"].clone(), it["offset"].clone())).collect()
        };
        assert_eq!(places(&told), places(&again));
        assert_eq!(told["producer_state"], again["producer_state"]);
        state = told["producer_state"].clone();
    }
    assert_eq!((0..3).map(|partition| values(&http, partition).len()).sum::<usize>(), 36);
    let spread =
        json!({"records": [{"value_text": "a", "partition": 0}, {"value_text": "b", "partition": 1}]});
    let headers = [("producer-id", id), ("producer-epoch", "0"), ("producer-seq", "0")];
    send(&http, &headers, &spread).problem(422, "invalid_record");
}

#[test]
fn a_key_makes_one_request_safe_and_stands_for_it_alone() {
    let folder = data_dir();
    let mut node = Node::start(folder.path());
    let mut http = Http::at(&node.http);
    http.topic("t", 5);
    let body = json!({"records": [{"value_text": "a"}, {"value_text": "b", "key_text": "k"}]});
    let first = send(&http, &[("idempotency-key", "order-17")], &body).expect(200);
    for round in 0..2 {
        let again = send(&http, &[("idempotency-key", "\"order-17\"")], &body);
        assert_eq!(again.header("duplicate"), Some("true"));
        let again = again.expect(200);
        for index in 0..2 {
            assert_eq!(first["results"][index]["offset"], again["results"][index]["offset"]);
            assert_eq!(first["results"][index]["partition"], again["results"][index]["partition"]);
        }
        if round == 0 {
            node.kill();
            node = Node::start(folder.path());
            http = Http::at(&node.http);
        }
    }
    for other in [
        json!({"records": [{"value_text": "other"}, {"value_text": "b", "key_text": "k"}]}),
        json!({"records": [{"value_text": "a"}]}),
        json!({"records": [{"value_text": "a"}, {"value_text": "a"}, {"value_text": "b", "key_text": "k"}]}),
        json!({"records": [{"value_text": "a", "headers": [{"name": "h"}]}, {"value_text": "b", "key_text": "k"}]}),
    ] {
        let answer = send(&http, &[("idempotency-key", "order-17")], &other);
        let told = answer.json();
        let conflicts = told["code"] == "idempotency_conflict"
            || told["results"].as_array().is_some_and(|results| {
                results.iter().any(|result| result["error"]["code"] == "idempotency_conflict")
            });
        // A request that is part of the first is a duplicate of that part.
        let is_part = other["records"].as_array().map(Vec::len) == Some(1);
        assert!(conflicts || is_part, "{other}: {told}");
    }
    send(&http, &[("idempotency-key", "order-18")], &body).expect(200);
    let all: usize = (0..5).map(|partition| values(&http, partition).len()).sum();
    assert_eq!(all, 4);
    send(&http, &[("idempotency-key", "")], &body).problem(400, "invalid_parameter");
    send(&http, &[("idempotency-key", &"k".repeat(256))], &body).problem(400, "invalid_parameter");
}

#[test]
fn an_expected_offset_lets_one_of_two_writers_through() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    let body = json!({"records": [{"value_text": "a", "partition": 0}]});
    send(&http, &[("expected-offset", "0")], &body).expect(200);
    let late = send(&http, &[("expected-offset", "0")], &body).problem(412, "unexpected_offset");
    assert_eq!((&late["expected"], &late["actual"]), (&json!("0"), &json!("1")));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (http, body) = (http.clone(), body.clone());
            in_thread(move || {
                (1..=50)
                    .filter(|offset| {
                        send(&http, &[("expected-offset", &offset.to_string())], &body).status == 200
                    })
                    .count()
            })
        })
        .collect();
    let through: usize = writers.into_iter().map(|writer| writer.join().expect("ended")).sum();
    assert_eq!(through + 1, values(&http, 0).len());
    send(&http, &[("expected-offset", "9")], &json!({"records": [{"value_text": "a"}]}))
        .problem(422, "invalid_record");
    send(&http, &[("expected-offset", "-1")], &body).problem(400, "invalid_parameter");
    send(&http, &[("expected-offset", "1"), ("idempotency-key", "k")], &body)
        .problem(400, "invalid_parameter");
}

#[test]
fn what_is_no_producer_is_refused() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    http.topic("u", 1);
    http.post("/v1/producers", &json!({"topic": "none"})).problem(404, "unknown_topic");
    let mine = open(&http, "t");
    let body = json!({"records": [{"value_text": "a"}]});
    let of = |id: &str, epoch: &str, sequence: &str| {
        send(&http, &[("producer-id", id), ("producer-epoch", epoch), ("producer-seq", sequence)], &body)
    };
    let id = mine["producer_id"].as_str().expect("an id");
    of("forged", "0", "0").problem(400, "invalid_token");
    of(&format!("{}A", &id[..id.len() - 1]), "0", "0").problem(400, "invalid_token");
    of(open(&http, "u")["producer_id"].as_str().expect("an id"), "0", "0").problem(403, "foreign_token");
    for (epoch, sequence) in [("-1", "0"), ("32768", "0"), ("0", "-1"), ("0", "2147483648"), ("x", "0")] {
        of(id, epoch, sequence).problem(400, "invalid_parameter");
    }
    send(&http, &[("producer-id", id)], &body).problem(400, "invalid_parameter");
    // Another gateway with another secret knows nothing of it.
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "another secret, long enough to be one\n").expect("written");
    let other = GatewayProcess::start(&node.kafka, file.path());
    let headers = [("producer-id", id), ("producer-epoch", "0"), ("producer-seq", "0")];
    send(&other.http, &headers, &body).problem(400, "invalid_token");
}

/// Sends a whole request and hangs up without a look at the answer.
fn send_and_reset(address: &str, headers: &[(&str, String)], body: &str) {
    let mut socket = TcpStream::connect(address).expect("accepted");
    let mut request = format!(
        "POST /v1/topics/t/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    socket.write_all(format!("{request}\r\n{body}").as_bytes()).expect("sent");
}

/// Of each writer; `AQUIFER_CHAOS_ROUNDS=40000` is the run at full length.
const ROUNDS: usize = 60;

#[test]
fn every_request_sent_three_times_through_different_gateways_stands_there_once() {
    let asked = std::env::var("AQUIFER_CHAOS_ROUNDS").ok().and_then(|text| text.parse::<usize>().ok());
    let rounds = asked.unwrap_or(ROUNDS);
    let folder = data_dir();
    let node = Node::start(folder.path());
    let file = secret();
    let gateways: Vec<_> = (0..3).map(|_| GatewayProcess::start(&node.kafka, file.path())).collect();
    gateways[0].http.topic("t", 3);
    let producers: Vec<Value> = (0..4).map(|_| open(&gateways[0].http, "t")).collect();
    let writers: Vec<_> = producers
        .into_iter()
        .enumerate()
        .map(|(writer, producer)| {
            let https: Vec<Http> = gateways.iter().map(|gateway| gateway.http.clone()).collect();
            in_thread(move || {
                for round in 0..rounds {
                    let partition = writer % 3;
                    let records: Vec<Value> = (0..5)
                        .map(|index| json!({"value_text": format!("{writer}-{}", round * 5 + index), "partition": partition}))
                        .collect();
                    let body = json!({"records": records}).to_string();
                    let headers = [
                        ("Producer-Id", producer["producer_id"].as_str().expect("an id").to_owned()),
                        ("Producer-Epoch", "0".to_owned()),
                        ("Producer-Seq", (round * 5).to_string()),
                    ];
                    send_and_reset(&https[round % 3].address, &headers, &body);
                    let borrowed: Vec<(&str, &str)> =
                        headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    let mut all = vec![("content-type", "application/json")];
                    all.extend(borrowed);
                    for turn in 1..3 {
                        let http = &https[(round + turn) % 3];
                        http.send("POST", "/v1/topics/t/records", &all, body.as_bytes()).expect(200);
                    }
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().expect("ended"));
    let mut seen: Vec<String> = (0..3).flat_map(|partition| values(&gateways[0].http, partition)).collect();
    for writer in 0..4 {
        let prefix = format!("{writer}-");
        let mine: Vec<String> = seen.iter().filter(|value| value.starts_with(&prefix)).cloned().collect();
        let expected: Vec<String> = (0..rounds * 5).map(|index| format!("{writer}-{index}")).collect();
        assert_eq!(mine, expected, "in order, each once");
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), rounds * 20);
}
