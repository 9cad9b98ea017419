//! `Session`: a consumer that speaks HTTP, as scripts write one: it keeps a token and a cursor, and asks again.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::http::{Answer, Http};
use crate::harness::pause;

/// A member of a group over HTTP.
pub(super) struct Session {
    pub(super) token: String,
    /// Of the last answer whose records were dealt with.
    pub(super) ack: Option<String>,
    /// Of the last answer.
    pub(super) cursor: Option<String>,
}

/// A partition and an offset.
pub(super) type Place = (i32, i64);

impl Session {
    pub(super) fn open(http: &Http, group: &str, topic: &str) -> Session {
        Session::open_with(http, group, &json!({"topics": [topic], "from": "earliest"}))
    }

    #[track_caller]
    pub(super) fn open_with(http: &Http, group: &str, body: &Value) -> Session {
        let opened = http.post(&format!("/v1/groups/{group}/sessions"), body).expect(200);
        Session { token: text(&opened, "token"), ack: None, cursor: None }
    }

    /// The next request, with everything acknowledged that was read.
    pub(super) fn request(&self, wait_ms: u64) -> Value {
        let mut body = json!({"token": self.token, "wait_ms": wait_ms});
        if let Some(ack) = &self.ack {
            body["ack"] = json!(ack);
        }
        body
    }

    #[track_caller]
    pub(super) fn poll(&mut self, http: &Http, wait_ms: u64) -> Value {
        let answer = http.post("/v1/sessions:poll", &self.request(wait_ms)).expect(200);
        self.take(&answer);
        answer
    }

    /// Deals with an answer's records.
    pub(super) fn take(&mut self, answer: &Value) {
        self.token = text(answer, "token");
        self.cursor = Some(text(answer, "cursor"));
        self.ack.clone_from(&self.cursor);
    }

    /// Polls until the session owns so many partitions.
    #[track_caller]
    pub(super) fn until_owns(&mut self, http: &Http, count: usize) {
        for _ in 0..300 {
            let answer = self.poll(http, 200);
            if answer["assigned"].as_array().map(Vec::len) == Some(count) {
                return;
            }
        }
        panic!("the session never owned {count} partitions");
    }

    #[track_caller]
    pub(super) fn close(&self, http: &Http) -> Value {
        let mut body = json!({"token": self.token});
        if let Some(ack) = &self.ack {
            body["ack"] = json!(ack);
        }
        http.post("/v1/sessions:close", &body).expect(200)
    }
}

#[track_caller]
pub(super) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}

/// The records of an answer by partition and offset.
#[track_caller]
pub(super) fn records(answer: &Value) -> BTreeMap<Place, String> {
    let all = answer["records"].as_array().unwrap_or_else(|| panic!("no records in {answer}"));
    let each = all.iter().map(|record| {
        let partition = record["partition"].as_i64().and_then(|index| i32::try_from(index).ok());
        let offset = text(record, "offset").parse().expect("an offset");
        ((partition.expect("a partition"), offset), text(record, "value_text"))
    });
    each.collect()
}

/// Appends numbered records to the partitions in turn.
#[track_caller]
pub(super) fn produce(http: &Http, topic: &str, partitions: i32, numbers: std::ops::Range<i32>) {
    let numbers: Vec<i32> = numbers.collect();
    for chunk in numbers.chunks(500) {
        let records: Vec<Value> = chunk
            .iter()
            .map(|number| json!({"value_text": format!("{number}"), "partition": number % partitions}))
            .collect();
        http.post(&format!("/v1/topics/{topic}/records"), &json!({"records": records})).expect(200);
    }
}

/// Asks again until there is an answer of this status, and counts how often; problems that may heal are not the end.
pub(super) fn insist(mut ask: impl FnMut() -> Option<Answer>, tries: u32) -> (Value, u32) {
    for tried in 0..tries {
        let Some(answer) = ask() else {
            pause();
            continue;
        };
        if answer.status == 200 {
            return (answer.json(), tried);
        }
        let problem = answer.json();
        assert_eq!(problem["retryable"], true, "{problem}");
        pause();
    }
    panic!("no answer in {tries} tries");
}
