//! `Kcat`: kcat (librdkafka) as a client, a process for each request and each member of a group.

mod member;

use std::collections::BTreeMap;

use member::Member;
use serde_json::{Value, json};

use super::client::{Client, Record, Refusal};
use crate::harness::run;

/// Between key and value, and before the next record: in no test's data.
const KEY_END: &str = "\u{1f}";
const RECORD_END: &str = "\u{1e}";

/// What librdkafka calls the broker's errors.
const CODES: [(&str, i64); 5] = [
    ("Offset out of range", 1),
    ("Unknown topic or partition", 3),
    ("Message size too large", 10),
    ("Invalid request", 42),
    ("Topic authorization failed", 29),
];

pub(super) struct Kcat {
    bootstrap: String,
    members: BTreeMap<String, Member>,
}

impl Kcat {
    pub(super) fn new(bootstrap: &str) -> Kcat {
        Kcat { bootstrap: bootstrap.to_owned(), members: BTreeMap::new() }
    }

    fn run(&self, arguments: &[&str], input: &str) -> Result<String, Refusal> {
        let settings = ["-b", &self.bootstrap, "-X", "topic.metadata.propagation.max.ms=1000"];
        let output = run("kcat", &[&settings[..], arguments].concat(), input);
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = CODES.iter().find(|(said, _)| message.contains(said)).map(|(_, code)| *code);
        Err(Refusal::Error { code, message })
    }

    fn produce(&self, request: &Value) -> Result<Value, Refusal> {
        let records: Vec<Record> = parse(&request["records"]);
        if records.iter().any(|record| record.timestamp.is_some()) {
            return Err(Refusal::Absent("kcat takes no timestamps".to_owned()));
        }
        let (partition, codec) = (at(request), request["codec"].as_str().unwrap_or("none"));
        let batch = request["batch_bytes"].as_i64().map(|bytes| format!("batch.size={bytes}"));
        let idempotence =
            format!("enable.idempotence={}", request["idempotent"].as_bool().unwrap_or_default());
        // Headers and nulls go for all records of a process.
        for alike in records.chunk_by(|one, other| shape(one) == shape(other)) {
            let topic = topic(request);
            let mut arguments = vec!["-P", "-t", topic, "-p", &partition, "-z", codec, "-X", &idempotence];
            arguments.extend(["-X", "message.timeout.ms=10000", "-X", "message.max.bytes=10000000"]);
            arguments.extend(["-D", RECORD_END]);
            if let Some(batch) = &batch {
                arguments.extend(["-X", batch, "-X", "linger.ms=0"]);
            }
            let (has_key, has_value, headers) = shape(&alike[0]);
            if has_key {
                arguments.extend(["-K", KEY_END]);
            }
            if !has_value {
                arguments.push("-Z");
            }
            let headers: Vec<String> = headers
                .iter()
                .map(|(name, value)| value.as_ref().map_or(name.clone(), |value| format!("{name}={value}")))
                .collect();
            arguments.extend(headers.iter().flat_map(|header| ["-H", header]));
            let input: String = alike
                .iter()
                .map(|record| {
                    let key = record.key.as_ref().map_or(String::new(), |key| format!("{key}{KEY_END}"));
                    format!("{key}{}{RECORD_END}", record.value.as_deref().unwrap_or_default())
                })
                .collect();
            self.run(&arguments, &input)?;
        }
        Ok(json!({}))
    }

    fn read(&self, request: &Value) -> Result<Value, Refusal> {
        let reset = match request["reset"].as_str().unwrap_or("none") {
            "none" => "error",
            other => other,
        };
        let (partition, count) = (at(request), request["count"].to_string());
        let reset = format!("auto.offset.reset={reset}");
        let from = request["from"].to_string();
        let arguments = ["-C", "-t", topic(request), "-p", &partition, "-o", &from, "-c", &count, "-J", "-q"];
        // kcat reads until it has all it was asked for, or is ended.
        let limit = format!("{}", request["timeout_ms"].as_u64().unwrap_or(1000).div_ceil(1000));
        let settings = ["-b", &self.bootstrap, "-u", "-X", &reset, "-X", "fetch.wait.max.ms=200"];
        let output = run("timeout", &[&[limit.as_str(), "kcat"], &settings[..], &arguments[..]].concat(), "");
        const TIMEOUT_ENDED_IT: i32 = 124;
        if !output.status.success() && output.status.code() != Some(TIMEOUT_ENDED_IT) {
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            let code = CODES.iter().find(|(said, _)| message.contains(said)).map(|(_, code)| *code);
            return Err(Refusal::Error { code, message });
        }
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let records: Vec<Value> = printed.lines().map(|line| record(&parse(&Value::from(line)))).collect();
        Ok(json!({ "records": records }))
    }

    fn offset(&self, request: &Value, at_time: i64) -> Result<i64, Refusal> {
        let query = format!("{}:{}:{at_time}", topic(request), at(request));
        let printed = self.run(&["-Q", "-t", &query], "")?;
        let offset = printed.trim().rsplit(' ').next().and_then(|word| word.parse().ok());
        offset.ok_or(Refusal::Error { code: None, message: printed })
    }

    fn metadata(&self, arguments: &[&str]) -> Result<Value, Refusal> {
        let printed = self.run(&[&["-L", "-J"], arguments].concat(), "")?;
        Ok(parse(&Value::from(printed)))
    }
}

impl Client for Kcat {
    fn ask(&mut self, request: &Value) -> Result<Value, Refusal> {
        match request["op"].as_str().unwrap_or_default() {
            "version" => {
                let printed = String::from_utf8_lossy(&run("kcat", &["-V"], "").stdout).into_owned();
                let version = printed.lines().find(|line| line.starts_with("Version")).unwrap_or_default();
                Ok(json!({ "version": version.split(' ').nth(1) }))
            }
            "produce" => self.produce(request),
            "transaction" => {
                let id = format!("transactional.id={}", request["id"].as_str().unwrap_or_default());
                self.run(&["-P", "-t", "unused", "-X", &id], "x")?;
                Ok(json!({}))
            }
            "read" => self.read(request),
            "join" => {
                if request["protocol"] == "consumer" {
                    return Err(Refusal::Absent("kcat's librdkafka is older than the protocol".to_owned()));
                }
                let member = Member::join(&self.bootstrap, request);
                self.members.insert(request["member"].to_string(), member);
                Ok(json!({}))
            }
            "poll" => Ok(self.members.get_mut(&request["member"].to_string()).expect("it joined").poll()),
            "leave" => {
                self.members.remove(&request["member"].to_string()).expect("it joined").leave();
                Ok(json!({}))
            }
            "ends" => {
                let (beginning, end) = (self.offset(request, -2)?, self.offset(request, -1)?);
                Ok(json!({ "beginning": beginning, "end": end }))
            }
            "offset_for_time" => {
                let offset = self.offset(request, request["timestamp"].as_i64().unwrap_or_default())?;
                Ok(json!({ "offset": (offset >= 0).then_some(offset) }))
            }
            "partitions" => {
                let metadata = self.metadata(&["-t", topic(request)])?;
                let described = &metadata["topics"][0];
                if let Some(error) = described["error"].as_str() {
                    let code = CODES.iter().find(|(said, _)| error.contains(said)).map(|(_, code)| *code);
                    return Err(Refusal::Error { code, message: error.to_owned() });
                }
                Ok(json!({ "partitions": described["partitions"].as_array().map(Vec::len) }))
            }
            _ => Err(Refusal::Absent("kcat administers nothing".to_owned())),
        }
    }
}

/// What all records of one kcat process share: whether there are keys and values, and the headers.
fn shape(record: &Record) -> (bool, bool, &[(String, Option<String>)]) {
    (record.key.is_some(), record.value.is_some(), &record.headers)
}

fn topic(request: &Value) -> &str {
    request["topic"].as_str().unwrap_or_default()
}

fn at(request: &Value) -> String {
    request["partition"].as_i64().unwrap_or(0).to_string()
}

/// A line of kcat's as the other clients answer.
fn record(line: &Value) -> Value {
    let headers = line["headers"].as_array().cloned().unwrap_or_default();
    let headers: Vec<&[Value]> = headers.chunks(2).collect();
    json!({
        "offset": line["offset"],
        "timestamp": line["ts"],
        "key": line["key"],
        "value": line["payload"],
        "headers": headers,
    })
}

fn parse<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    match value {
        Value::String(text) => serde_json::from_str(text).expect("kcat prints JSON"),
        other => serde_json::from_value(other.clone()).expect("the scenarios send records"),
    }
}
