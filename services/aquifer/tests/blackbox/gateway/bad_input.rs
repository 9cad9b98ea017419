//! What no gateway should be sent: a documented problem each, and bounded memory.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use aquifer_record::{Compression, Encoding, compress};
use serde_json::json;

use super::http::Http;
use crate::harness::{Node, data_dir, skip, sleep};

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn requests_that_are_none_get_a_problem_that_says_why() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    let post =
        |headers: &[(&str, &str)], body: &[u8]| http.send("POST", "/v1/topics/t/records", headers, body);
    post(&[JSON], b"{").problem(400, "malformed_body");
    post(&[JSON], b"").problem(400, "malformed_body");
    post(&[JSON], b"{\"records\":[{\"value_text\":\"\xff\"}]}").problem(400, "malformed_body");
    post(&[JSON], br#"{"records":[{"value_text":"a"}],"more":1}"#).problem(400, "malformed_body");
    post(&[JSON], br#"{"records":[{"value":"a"}]}"#).problem(400, "malformed_body");
    post(&[JSON], br#"{"records":[{}]}"#).problem(422, "invalid_record");
    post(&[JSON], br#"{"records":[{"value_text":"a"},{"value_text":"a","value_json":1}]}"#)
        .problem(422, "invalid_record");
    post(&[JSON], &[b'['; 100_000]).problem(400, "malformed_body");
    post(&[("content-type", "text/plain")], b"{}").problem(415, "unsupported_media_type");
    post(&[], b"{}").problem(415, "unsupported_media_type");
    post(&[JSON, ("content-encoding", "br")], b"{}").problem(415, "unsupported_media_type");
    for query in ["max_bytes=0", "max_records=0", "wait_ms=-1", "values=xml", "unknown=1", "max_bytes=many"] {
        let path = format!("/v1/topics/t/partitions/0/records?{query}");
        http.get(&path).problem(400, "invalid_parameter");
    }
    for from in ["x", "--1", "@never", "99999999999999999999"] {
        let path = format!("/v1/topics/t/partitions/0/records?from={from}");
        http.get(&path).problem(400, "invalid_position");
    }
    for cursor in ["c.", "c.AAAA", "c.%20", &format!("c.{}", "A".repeat(4000))] {
        let path = format!("/v1/topics/t/partitions/0/records?from={cursor}");
        http.get(&path).problem(400, "invalid_cursor");
    }
    http.get("/v1/topics/t/partitions/x/records").problem(400, "invalid_parameter");
    http.get("/v1/topics/t/partitions/-1/records").problem(404, "unknown_partition");
    http.get("/v1/topics/t/partitions/1/records").problem(404, "unknown_partition");
    http.get("/v1/topics/absent/partitions/0/records").problem(404, "unknown_topic");
    http.get("/v1/topics/t/records:sse?from=5x").problem(400, "invalid_position");
    http.get("/v1/topics/t/records:ws").problem(400, "invalid_parameter");
    http.get("/v1/none").problem(404, "unknown_route");
    http.send("DELETE", "/v1/topics", &[], b"").problem(405, "method_not_allowed");
    for entry in http.get("/v1/problems").expect(200)["items"].as_array().expect("items") {
        let code = entry["code"].as_str().expect("a code");
        assert_eq!(http.get(&format!("/v1/problems/{code}")).expect(200), *entry);
    }
    let answer = http.send("GET", "/v1/none", &[("x-request-id", "mine")], b"");
    assert_eq!(answer.header("x-request-id"), Some("mine"));
    assert!(http.get("/v1/none").header("x-request-id").is_some_and(|id| !id.is_empty()));
}

#[test]
fn bodies_over_the_limit_and_bombs_are_refused_before_they_are_held() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    let large = json!({"records": [{"value_text": "x".repeat(17 << 20)}]}).to_string();
    // The server may answer and close before all of it was sent.
    let answered = http.try_send("POST", "/v1/topics/t/records", &[JSON], large.as_bytes());
    if let Some(answer) = answered {
        answer.problem(413, "body_too_large");
    }
    let before = node.peak_bytes();
    let mut bomb = Vec::new();
    let encoding = Encoding { compression: Compression::Zstd, level: None };
    compress(encoding, &vec![b' '; 512 << 20], &mut bomb).expect("packs");
    let headers = [JSON, ("content-encoding", "zstd")];
    http.send("POST", "/v1/topics/t/records", &headers, &bomb).problem(413, "body_too_large");
    let grown = node.peak_bytes().saturating_sub(before);
    assert!(grown < 200 << 20, "a bomb of 512 MiB took {grown} bytes");

    let record = json!({"records": [{"value_text": "x".repeat(2 << 20)}]});
    http.post("/v1/topics/t/records", &record).problem(413, "record_too_large");
    http.post("/v1/topics/t/records", &json!({"records": [{"value_text": "fine"}]})).expect(200);
}

#[test]
fn half_requests_and_slow_readers_hold_up_nobody() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    let mut idle = Vec::new();
    // Whatever they announce, they hold what they sent.
    for index in 0..500 {
        let mut socket = TcpStream::connect(&node.http).expect("accepted");
        if index % 2 == 0 {
            write!(socket, "POST /v1/topics/t/records HTTP/1.1\r\nHost: x\r\nContent-Le").expect("sent");
        } else {
            write!(
                socket,
                "POST /v1/topics/t/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 16000000\r\n\r\n{{"
            )
            .expect("sent");
        }
        idle.push(socket);
    }
    let value = "x".repeat(500_000);
    for _ in 0..40 {
        http.post("/v1/topics/t/records", &json!({"records": [{"value_text": value}]})).expect(200);
    }
    // Twenty megabytes for each, of which nobody reads any.
    let before = node.resident_bytes();
    for _ in 0..50 {
        let mut socket = TcpStream::connect(&node.http).expect("accepted");
        write!(socket, "GET /v1/topics/t/records:ndjson?from=earliest HTTP/1.1\r\nHost: x\r\n\r\n")
            .expect("sent");
        let mut first = [0; 1];
        socket.read_exact(&mut first).expect("it began");
        idle.push(socket);
    }
    http.post("/v1/topics/t/records", &json!({"records": [{"value_text": "fine"}]})).expect(200);
    let grown = node.resident_bytes().saturating_sub(before);
    assert!(grown < 300 << 20, "50 readers that do not read took {grown} bytes of 1 GB");
}

#[test]
fn a_reader_that_reads_nothing_is_given_up() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    let value = "x".repeat(500_000);
    for _ in 0..40 {
        http.post("/v1/topics/t/records", &json!({"records": [{"value_text": value}]})).expect(200);
    }
    let mut socket = TcpStream::connect(&node.http).expect("accepted");
    write!(socket, "GET /v1/topics/t/records:sse?from=earliest HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    socket.read_exact(&mut [0; 1]).expect("it began");
    let streams = || {
        let text = String::from_utf8(http.get("/metrics").body).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix("aquifer_http_streams "));
        line.expect("counted").to_owned()
    };
    assert_eq!(streams(), "1");
    // Its kernel answers for it all the while; as many looks as take the documented minute and more.
    assert!((0..900).any(|_| {
        sleep(Duration::from_millis(200));
        streams() == "0"
    }));
    let mut rest = Vec::new();
    let cut = socket.read_to_end(&mut rest).expect_err("cut off, not ended");
    assert_eq!(cut.kind(), ErrorKind::ConnectionReset);
}

/// How many files a process here may have open.
fn files_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn ten_thousand_idle_sockets_hold_up_nobody_and_little_memory() {
    const SOCKETS: usize = 10_000;
    if files_max() < SOCKETS + 4_000 {
        return skip("fewer files may be open than sockets are needed");
    }
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    let before = node.resident_bytes();
    let mut idle = Vec::new();
    for index in 0..SOCKETS {
        let mut socket = TcpStream::connect(&node.http).expect("accepted");
        if index % 2 == 0 {
            write!(socket, "GET /v1/topics HTTP/1.1\r\nHost: x\r\nX-Ha").expect("sent");
        }
        idle.push(socket);
    }
    for _ in 0..20 {
        http.post("/v1/topics/t/records", &json!({"records": [{"value_text": "fine"}]})).expect(200);
        http.get("/v1/topics/t/partitions/0/records?from=-1").expect(200);
    }
    let each = node.resident_bytes().saturating_sub(before) / SOCKETS as u64;
    assert!(each < 24 << 10, "an idle socket takes {each} bytes");
    drop(idle);
    http.get("/v1/topics").expect(200);
}
