//! Followers that lose their connection, and lines in for lines out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::http::{Http, Lines};
use super::process::{GatewayProcess, secret};
use crate::harness::{Node, data_dir, free_port};

pub(super) const PARTITIONS: i32 = 3;

pub(super) fn produce(http: &Http, from: usize, count: usize) {
    let records: Vec<Value> = (from..from + count)
        .map(|index| json!({"value_text": index.to_string(), "partition": index % 3}))
        .collect();
    http.post("/v1/topics/t/records", &json!({"records": records})).expect(200);
}

/// One event: its name, id and data.
fn event(lines: &mut Lines) -> Option<(String, Option<String>, String)> {
    let (mut name, mut id, mut data) = ("message".to_owned(), None, String::new());
    loop {
        let line = lines.next()?;
        match line.split_once(": ") {
            _ if line.is_empty() => return Some((name, id, data)),
            Some(("event", value)) => name = value.to_owned(),
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("data", value)) => data = value.to_owned(),
            _ => {}
        }
    }
}

/// What a follower saw, by partition; whatever a cursor had said before comes no second time.
#[derive(Default)]
pub(super) struct Seen(BTreeMap<i64, Vec<i64>>);

impl Seen {
    pub(super) fn take(&mut self, record: &Value) {
        let offset = record["offset"].as_str().and_then(|text| text.parse().ok()).expect("an offset");
        self.0.entry(record["partition"].as_i64().expect("a partition")).or_default().push(offset);
    }

    pub(super) fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Every offset once, in order.
    pub(super) fn is_whole(&self, records: usize) {
        assert_eq!(self.count(), records);
        for (partition, offsets) in &self.0 {
            let expected: Vec<i64> = (0..).take(offsets.len()).collect();
            assert_eq!(*offsets, expected, "partition {partition}");
        }
    }
}

#[test]
fn an_sse_follower_that_is_cut_off_a_hundred_times_misses_and_repeats_nothing() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", PARTITIONS);
    let (mut seen, mut last, mut produced) = (Seen::default(), None::<String>, 0);
    for _ in 0..100 {
        produce(&http, produced, 30);
        produced += 30;
        let headers: Vec<(&str, &str)> = last.iter().map(|id| ("Last-Event-ID", id.as_str())).collect();
        let mut lines = http.lines("/v1/topics/t/records:sse?from=earliest", &headers);
        // What came since the last id is thrown away with the connection, as a browser does that reloads.
        let mut pending = Vec::new();
        loop {
            let (name, id, data) = event(&mut lines).expect("the stream goes on");
            if name == "message" {
                pending.push(serde_json::from_str::<Value>(&data).expect("a record"));
            }
            if let Some(id) = id {
                let came = !pending.is_empty();
                pending.drain(..).for_each(|record| seen.take(&record));
                last = Some(id);
                if came {
                    break;
                }
            }
        }
    }
    let mut lines =
        http.lines("/v1/topics/t/records:sse", &[("Last-Event-ID", last.as_deref().expect("an id"))]);
    while seen.count() < produced {
        let (name, _, data) = event(&mut lines).expect("the stream goes on");
        if name == "message" {
            seen.take(&serde_json::from_str(&data).expect("a record"));
        }
    }
    seen.is_whole(produced);
}

#[test]
fn an_ndjson_follower_goes_on_by_cursor_through_kills_of_its_gateway() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", PARTITIONS);
    let (file, port) = (secret(), free_port());
    let (mut seen, mut cursor, mut produced) = (Seen::default(), "earliest".to_owned(), 0);
    for _ in 0..10 {
        produce(&http, produced, 200);
        produced += 200;
        let gateway = GatewayProcess::start_with(&node.kafka, file.path(), port, &[]);
        let mut lines = gateway.http.lines(&format!("/v1/topics/t/records:ndjson?from={cursor}"), &[]);
        let mut gateway = Some(gateway);
        let mut pending = Vec::new();
        while let Some(line) = lines.next() {
            let line: Value = match serde_json::from_str(&line) {
                Ok(line) => line,
                Err(_) => break,
            };
            match line.get("control") {
                None => pending.push(line),
                Some(control) => {
                    pending.drain(..).for_each(|record| seen.take(&record));
                    cursor = control["cursor"].as_str().expect("a cursor").to_owned();
                    if let Some(gateway) = gateway.take() {
                        gateway.kill();
                    }
                }
            }
        }
    }
    let mut lines = http.lines(&format!("/v1/topics/t/records:ndjson?from={cursor}"), &[]);
    while seen.count() < produced {
        let line: Value = serde_json::from_str(&lines.next().expect("the stream goes on")).expect("JSON");
        if line.get("control").is_none() {
            seen.take(&line);
        }
    }
    seen.is_whole(produced);
}

#[test]
fn lines_in_are_acknowledged_in_order_up_to_the_first_that_is_none() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    let mut body: String = (0..5000).map(|index| format!("{{\"value_text\":\"{index}\"}}\n")).collect();
    let headers = [("content-type", "application/x-ndjson")];
    let answer = http.send("POST", "/v1/topics/t/records:ndjson", &headers, body.as_bytes());
    assert_eq!(answer.status, 200);
    let lines: Vec<Value> = String::from_utf8(answer.body)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 5000);
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(*line, json!({"partition": 0, "offset": index.to_string()}));
    }
    body.truncate(0);
    body.push_str("{\"value_text\":\"last\"}\n{\"value_text\":\n{\"value_text\":\"never\"}\n");
    let answer = http.send("POST", "/v1/topics/t/records:ndjson", &headers, body.as_bytes());
    let text = String::from_utf8(answer.body).expect("text");
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    assert_eq!(lines.next(), Some(json!({"partition": 0, "offset": "5000"})));
    assert_eq!(lines.next().expect("an error")["error"]["code"], "malformed_body");
    assert_eq!(lines.next(), None);
    assert_eq!(http.get("/v1/topics/t/partitions/0/records?from=-1").expect(200)["next_offset"], "5001");
    http.send("POST", "/v1/topics/none/records:ndjson", &headers, b"{}").problem(404, "unknown_topic");
}
