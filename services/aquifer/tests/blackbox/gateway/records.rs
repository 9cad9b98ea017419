//! Records in and out over HTTP, beside what a Kafka client sees of them.

use aquifer_record::{BatchBuilder, Compression, Encoding, NewRecord, compress};
use aquifer_types::TimestampMs;
use serde_json::{Value, json};

use super::http::Http;
use super::process::{GatewayProcess, in_thread, secret};
use crate::harness::{Node, data_dir, free_port, run_ok, skip_without};

fn texts(page: &Value) -> Vec<&str> {
    let records = page["records"].as_array().expect("records");
    records.iter().map(|record| record["value_text"].as_str().expect("text")).collect()
}

#[test]
fn a_node_and_a_gateway_alone_tell_what_their_ports_did() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let file = secret();
    let alone = GatewayProcess::start(&node.kafka, file.path());
    Http::at(&node.http).topic("t", 1);
    for http in [&Http::at(&node.http), &alone.http] {
        http.post("/v1/topics/t/records", &json!({"records": [{"value_text": "a"}]})).expect(200);
        http.get("/v1/topics/none").problem(404, "unknown_topic");
        let _follower = http.lines("/v1/topics/t/partitions/0/records:sse", &[]);

        let answer = http.get("/metrics");
        let text = String::from_utf8(answer.body).expect("text");
        for line in [
            "aquifer_http_requests_total{route=\"/v1/topics/{topic}/records\",status=\"200\"} 1",
            "aquifer_http_refusals_total{code=\"unknown_topic\"} 1",
            "aquifer_http_streams 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}

#[test]
fn topics_come_about_are_looked_at_changed_and_deleted() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.json("PUT", "/v1/topics/t", &json!({"partitions": 3, "configs": {"retention.ms": "60000"}}))
        .expect(201);
    let again = http.json("PUT", "/v1/topics/t", &json!({"partitions": 3})).expect(200);
    assert_eq!(again["partitions"].as_array().map(Vec::len), Some(3));
    http.json("PUT", "/v1/topics/t", &json!({"partitions": 4})).problem(409, "topic_exists");
    http.json("PUT", "/v1/topics/t", &json!({"configs": {"retention.ms": "1"}})).problem(409, "topic_exists");
    http.json("PUT", "/v1/topics/bad%20name", &json!({"partitions": 1})).problem(422, "invalid_topic");
    http.json("PUT", "/v1/topics/u", &json!({"configs": {"no.such": "1"}})).problem(422, "invalid_topic");

    let change = json!({"partitions": 5, "set_configs": {"max.message.bytes": "2000"}, "unset_configs": ["retention.ms"]});
    let changed = http.json("PATCH", "/v1/topics/t", &change).expect(200);
    let config = |name: &str| {
        let configs = changed["configs"].as_array().expect("configs");
        configs.iter().find(|config| config["name"] == name).expect("known")["value"].clone()
    };
    assert_eq!(changed["partitions"].as_array().map(Vec::len), Some(5));
    assert_eq!((config("max.message.bytes"), config("retention.ms")), (json!("2000"), json!("604800000")));

    http.topic("a", 1);
    let first = http.get("/v1/topics?page_size=1").expect(200);
    assert_eq!((&first["items"][0]["name"], &first["next_page_token"]), (&json!("a"), &json!("a")));
    let second = http.get("/v1/topics?page_size=1&page_token=a").expect(200);
    assert_eq!(second["items"][0]["name"], "t");
    assert!(second.get("next_page_token").is_none());

    http.send("DELETE", "/v1/topics/t", &[], b"").expect(204);
    http.get("/v1/topics/t").problem(404, "unknown_topic");
    http.send("DELETE", "/v1/topics/t", &[], b"").problem(404, "unknown_topic");
}

#[test]
fn records_keep_keys_headers_times_and_exact_json() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    let exact = r#"{"records":[
        {"key_text":"k","value_json":{"b": 1.50,  "a":[]},"timestamp":"2026-11-01T00:00:00.123Z",
         "headers":[{"name":"h","value_text":"x"},{"name":"h"},{"name":"b","value_base64":"/w=="}]},
        {"value_json":null},{"value_base64":"AP8="},{"key_base64":"AA==","tombstone":true}]}"#;
    let headers = [("content-type", "application/json"), ("traceparent", "00-aa-bb-01")];
    let produced = http.send("POST", "/v1/topics/t/records", &headers, exact.as_bytes()).expect(200);
    assert_eq!(produced["failed"], 0);
    assert_eq!(produced["results"][3], json!({"partition": 0, "offset": "3"}));

    let page = http.get("/v1/topics/t/partitions/0/records").expect(200);
    let trace = json!({"name": "traceparent", "value_text": "00-aa-bb-01"});
    assert_eq!(
        page["records"][0],
        json!({
            "topic": "t", "partition": 0, "offset": "0", "timestamp": "2026-11-01T00:00:00.123Z",
            "key_text": "k", "value_text": "{\"b\": 1.50,  \"a\":[]}",
            "headers": [{"name": "h", "value_text": "x"}, {"name": "h"}, {"name": "b", "value_base64": "/w=="}, trace],
        })
    );
    assert_eq!(page["records"][1]["value_text"], "null");
    assert_eq!(page["records"][2]["value_base64"], "AP8=");
    assert_eq!(page["records"][3]["key_text"], "\u{0}");
    assert_eq!(page["records"][3]["tombstone"], true);
    assert_eq!((&page["next_offset"], &page["high_watermark"]), (&json!("4"), &json!("4")));
    let parsed = http.get("/v1/topics/t/partitions/0/records?values=json").expect(200);
    assert_eq!(parsed["records"][0]["value_json"], json!({"b": 1.50, "a": []}));
    assert_eq!(parsed["records"][1]["value_json"], Value::Null);
    assert!(parsed["records"][1].get("value_json").is_some(), "null is a value, and shown");
    let coded = http.get("/v1/topics/t/partitions/0/records?values=base64").expect(200);
    assert_eq!(coded["records"][0]["key_base64"], "aw==");

    // What a Kafka client produced, over HTTP, and the other way round.
    if skip_without("kcat") {
        return;
    }
    let seen = ["-b", &node.kafka, "-t", "t", "-C", "-o", "0", "-c", "1", "-q", "-f", "%k|%s|%T"];
    assert_eq!(run_ok("kcat", &seen, ""), "k|{\"b\": 1.50,  \"a\":[]}|1793491200123");
}

#[test]
fn reads_begin_where_they_are_told_and_go_on_by_cursor() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    for index in 0..10 {
        let time = format!("2026-11-01T00:00:{index:02}Z");
        let record = json!({"value_text": index.to_string(), "timestamp": time});
        http.post("/v1/topics/t/records", &json!({"records": [record]})).expect(200);
    }
    let read = |query: &str| http.get(&format!("/v1/topics/t/partitions/0/records?{query}")).expect(200);
    assert_eq!(texts(&read("from=earliest&max_records=3")), ["0", "1", "2"]);
    assert_eq!(texts(&read("from=7")), ["7", "8", "9"]);
    assert_eq!(texts(&read("from=-2")), ["8", "9"]);
    assert_eq!(texts(&read("from=-200&max_records=1")), ["0"]);
    assert_eq!(texts(&read("from=latest")), [""; 0]);
    assert_eq!(texts(&read("from=@2026-11-01T00:00:08Z")), ["8", "9"]);
    assert_eq!(texts(&read("from=@2026-11-01T01:00:07.5%2B01:00")), ["8", "9"]);
    assert_eq!(texts(&read("from=@2030-01-01T00:00:00Z")), [""; 0], "nothing is that late: from the end on");
    assert_eq!(texts(&read("from=0&max_bytes=1")), ["0"], "the first record comes however large it is");

    let (mut cursor, mut seen) = ("earliest".to_owned(), Vec::new());
    while seen.len() < 10 {
        let page = read(&format!("from={cursor}&max_records=4"));
        seen.extend(texts(&page).into_iter().map(str::to_owned));
        cursor = page["cursor"].as_str().expect("a cursor").to_owned();
    }
    assert_eq!(seen.concat(), "0123456789");

    // A cursor is of its topic, not of the topic's name.
    http.topic("u", 1);
    http.get(&format!("/v1/topics/u/partitions/0/records?from={cursor}")).problem(409, "foreign_cursor");
    http.send("DELETE", "/v1/topics/t", &[], b"").expect(204);
    http.topic("t", 1);
    http.get(&format!("/v1/topics/t/partitions/0/records?from={cursor}")).problem(409, "foreign_cursor");
}

#[test]
fn a_long_answer_comes_in_pieces_and_is_whole() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    let value = |number: usize| format!("{number} {}", "x".repeat(number % 2_000));
    for batch in 0..40 {
        let records: Vec<Value> =
            (0..100).map(|index| json!({"value_text": value(batch * 100 + index)})).collect();
        http.post("/v1/topics/t/records", &json!({ "records": records })).expect(200);
    }
    let (mut from, mut answers) = (50, 0);
    while from < 4_000 {
        let limits = if answers == 0 { "max_records=777" } else { "max_bytes=1500000" };
        let query = format!("/v1/topics/t/partitions/0/records?from={from}&{limits}");
        let page = http.get(&query).expect(200);
        let read = texts(&page);
        assert!(read.len() > 700 || from + read.len() == 4_000, "{from}: {}", read.len());
        let expected: Vec<String> = (from..from + read.len()).map(value).collect();
        assert!(read == expected, "other records from {from} on");
        (from, answers) = (from + read.len(), answers + 1);
        assert_eq!(page["next_offset"], from.to_string());
        assert_eq!(page["high_watermark"], "4000");
    }
    assert_eq!((from, answers), (4_000, 4));
}

#[test]
fn a_long_poll_is_answered_by_the_record_that_it_waited_for() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 2);
    let waiting = http.clone();
    let poll = in_thread(move || {
        waiting.get("/v1/topics/t/partitions/1/records?from=latest&wait_ms=60000").expect(200)
    });
    let told_by = |http: &Http| {
        let told = String::from_utf8(http.get("/metrics").body).expect("text");
        told.lines().find_map(|line| line.strip_prefix("aquifer_gateway_waiting ")?.parse::<u32>().ok())
    };
    while told_by(&http) == Some(0) {}
    // Whichever of the port's threads tells: connections that are open at once are not all on one.
    let others: Vec<Http> = (0..4).map(|_| Http::at(&node.http)).collect();
    assert_eq!(others.iter().map(told_by).collect::<Vec<_>>(), [Some(1); 4]);
    // Others' records end no wait.
    while !poll.is_finished() {
        http.post("/v1/topics/t/records", &json!({"records": [{"value_text": "other", "partition": 0}]}))
            .expect(200);
        http.post("/v1/topics/t/records", &json!({"records": [{"value_text": "mine", "partition": 1}]}))
            .expect(200);
    }
    assert_eq!(poll.join().expect("answered")["records"][0]["value_text"], "mine");
    let none = http.get("/v1/topics/t/partitions/1/records?from=latest&wait_ms=50").expect(200);
    assert_eq!(none["records"], json!([]));
}

#[test]
fn a_record_larger_than_the_limit_is_always_delivered() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    let large = "x".repeat(900_000);
    for value in ["a", &large, "b"] {
        http.post("/v1/topics/t/records", &json!({"records": [{"value_text": value}]})).expect(200);
    }
    let page = http.get("/v1/topics/t/partitions/0/records?from=1&max_bytes=1000").expect(200);
    assert_eq!(texts(&page), [large.as_str()]);
    assert_eq!(page["next_offset"], "2");
}

#[test]
fn results_are_told_one_by_one_and_a_bad_record_spoils_no_other() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.json("PUT", "/v1/topics/t", &json!({"partitions": 1, "configs": {"cleanup.policy": "compact"}}))
        .expect(201);
    let mixed = json!({"records": [
        {"key_text": "a", "value_text": "1"}, {"value_text": "no key"}, {"key_text": "b", "value_text": "2"},
        {"key_text": "c", "value_text": "3", "partition": 7},
    ]});
    let told = http.post("/v1/topics/t/records", &mixed).expect(207);
    assert_eq!(told["failed"], 2);
    let results = told["results"].as_array().expect("results");
    assert!(results[0]["offset"].is_string() && results[2]["offset"].is_string(), "{told}");
    assert_eq!(results[1]["error"]["code"], "invalid_record");
    assert_eq!(results[3]["error"]["code"], "unknown_partition");
    let page = http.get("/v1/topics/t/partitions/0/records").expect(200);
    let mut values = texts(&page);
    values.sort_unstable();
    assert_eq!(values, ["1", "2"]);
    let alone = json!({"records": [{"value_text": "no key"}, {"value_text": "nor here"}]});
    http.post("/v1/topics/t/records", &alone).problem(422, "invalid_record");
}

#[test]
fn keys_go_where_kafkas_own_clients_put_them() {
    if skip_without("kcat") {
        return;
    }
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 7);
    let keys: Vec<String> = (0..50).map(|index| format!("key-{index}")).collect();
    let records: Vec<Value> = keys.iter().map(|key| json!({"key_text": key, "value_text": "http"})).collect();
    let told = http.post("/v1/topics/t/records", &json!({"records": records})).expect(200);
    let input: String = keys.iter().map(|key| format!("{key}:kcat\n")).collect();
    run_ok("kcat", &["-b", &node.kafka, "-t", "t", "-P", "-K:", "-X", "partitioner=murmur2_random"], &input);
    let seen = run_ok("kcat", &["-b", &node.kafka, "-t", "t", "-C", "-e", "-q", "-f", "%k %p %s\n"], "");
    for (key, result) in keys.iter().zip(told["results"].as_array().expect("results")) {
        let line = format!("{key} {} kcat\n", result["partition"]);
        assert!(seen.contains(&line), "{line}");
    }
}

#[test]
fn raw_values_and_record_batches_pass_as_they_are() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 2);
    let headers = [("content-type", "image/png"), ("record-header-kind", "picture")];
    let raw =
        http.send("POST", "/v1/topics/t/records:raw?key=k&partition=1", &headers, &[0, 255, 7]).expect(200);
    assert_eq!(raw["results"], json!([{"partition": 1, "offset": "0"}]));
    let page = http.get("/v1/topics/t/partitions/1/records").expect(200);
    assert_eq!(page["records"][0]["value_base64"], "AP8H");
    assert_eq!(page["records"][0]["headers"], json!([{"name": "kind", "value_text": "picture"}]));

    let mut body = Vec::new();
    for (compression, value) in [(Compression::Zstd, "packed"), (Compression::None, "plain")] {
        let mut builder = BatchBuilder::new(Encoding { compression, level: None });
        for _ in 0..3 {
            let value = Some(value.as_bytes());
            builder
                .push(&NewRecord { timestamp: TimestampMs(1), key: None, value, headers: &[] })
                .expect("fits");
        }
        body.extend(builder.build().expect("builds"));
    }
    let batch = [("content-type", "application/vnd.kafka.recordbatch")];
    let path = "/v1/topics/t/partitions/0/records:batch";
    let told = http.send("POST", path, &batch, &body).expect(200);
    assert_eq!(told["results"], json!([{"partition": 0, "offset": "0"}, {"partition": 0, "offset": "3"}]));
    let stored = http.get("/v1/topics/t/partitions/0/records").expect(200);
    assert_eq!(texts(&stored), ["packed", "packed", "packed", "plain", "plain", "plain"]);
    let mut damaged = body.clone();
    *damaged.last_mut().expect("bytes") ^= 1;
    http.send("POST", path, &batch, &damaged).problem(422, "invalid_record");
    http.send("POST", path, &batch, &body[..body.len() - 1]).problem(400, "malformed_body");
    assert_eq!(
        http.get("/v1/topics/t/partitions/0/records").expect(200)["next_offset"],
        "6",
        "all or nothing"
    );
}

#[test]
fn packed_bodies_are_unpacked() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    let body = json!({"records": [{"value_text": "packed"}]}).to_string();
    for (name, compression) in [("zstd", Compression::Zstd), ("gzip", Compression::Gzip)] {
        let mut packed = Vec::new();
        compress(Encoding { compression, level: None }, body.as_bytes(), &mut packed).expect("packs");
        let headers = [("content-type", "application/json"), ("content-encoding", name)];
        http.send("POST", "/v1/topics/t/records", &headers, &packed).expect(200);
        http.send("POST", "/v1/topics/t/records", &headers, b"not packed").problem(400, "malformed_body");
    }
    assert_eq!(texts(&http.get("/v1/topics/t/partitions/0/records").expect(200)), ["packed", "packed"]);
}

#[test]
fn a_gateway_alone_serves_the_same_and_drains() {
    let folder = data_dir();
    let node = Node::server(folder.path());
    let file = secret();
    let gateway = GatewayProcess::start(&node.kafka, file.path());
    gateway.http.topic("t", 1);
    gateway.http.post("/v1/topics/t/records", &json!({"records": [{"value_text": "v"}]})).expect(200);
    assert_eq!(texts(&gateway.http.get("/v1/topics/t/partitions/0/records").expect(200)), ["v"]);
    assert_eq!(gateway.http.get("/v1/capabilities").expect(200)["missing"], json!([]));

    // A poll that is parked is answered when the gateway is told to stop, long before its own time.
    let waiting = gateway.http.clone();
    let poll = in_thread(move || waiting.get("/v1/topics/t/partitions/0/records?from=latest&wait_ms=60000"));
    let mut follower = gateway.http.lines("/v1/topics/t/records:sse?from=latest", &[]);
    assert!(gateway.stop(), "it ends well");
    let answer = poll.join().expect("answered");
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.expect(200)["records"], json!([]));
    let mut told = Vec::new();
    while let Some(line) = follower.next() {
        told.push(line);
    }
    assert!(told.iter().any(|line| line == "event: reconnect"), "{told:?}");
}

#[test]
fn who_brings_no_key_is_not_let_in_where_keys_are_asked_for() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let (file, keys) = (secret(), tempfile::NamedTempFile::new().expect("a file"));
    std::fs::write(keys.path(), "alice 0123456789abcdef\n").expect("keys");
    let more = ["--api-keys-file", keys.path().to_str().expect("text")];
    let gateway = GatewayProcess::start_with(&node.kafka, file.path(), free_port(), &more);
    let unknown = gateway.http.get("/v1/topics");
    assert_eq!(unknown.header("www-authenticate"), Some("Bearer"));
    unknown.problem(401, "unauthenticated");
    gateway.http.send("GET", "/v1/topics", &[("x-api-key", "wrong")], b"").problem(401, "unauthenticated");
    let bearer = [("authorization", "Bearer 0123456789abcdef")];
    gateway.http.send("GET", "/v1/topics", &bearer, b"").expect(200);
    gateway.http.send("GET", "/v1/topics", &[("x-api-key", "0123456789abcdef")], b"").expect(200);
}
