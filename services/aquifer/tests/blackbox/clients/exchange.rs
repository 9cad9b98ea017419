//! What one client wrote, every other reads: codecs and clients, all with all.

use serde_json::{Value, json};

use super::client::{Client, Record, Refusal};
use super::produce::repetitive;
use super::scene::same;
use super::{CLIENTS, PROMPT, start};
use crate::harness::{Node, Ports, create_topic, data_dir};

/// Together in a topic each: those that every client has, and those that kafkajs has not.
const CODECS: [&[&str]; 2] = [&["none", "gzip", "snappy"], &["lz4", "zstd"]];
/// Records of each codec.
const RECORDS: usize = 60;

/// A topic that one client wrote, codec after codec.
struct Written {
    topic: String,
    codecs: Vec<&'static str>,
    records: Vec<Record>,
}

fn ask(client: &mut dyn Client, request: &Value) -> Option<Value> {
    match client.ask(request) {
        Ok(answer) => Some(answer),
        Err(Refusal::Absent(_)) => None,
        Err(refusal) => panic!("{request}: {refusal}"),
    }
}

fn write(writer: &mut dyn Client, topic: String, codecs: &[&'static str]) -> Written {
    let mut written = Written { topic, codecs: Vec::new(), records: Vec::new() };
    for codec in codecs {
        let records = repetitive(RECORDS);
        let request = json!({ "op": "produce", "topic": written.topic, "codec": codec, "records": records });
        if ask(writer, &request).is_some() {
            written.codecs.push(codec);
            written.records.extend(records);
        }
    }
    written
}

fn read_all(name: &str, reader: &mut dyn Client, topics: &[Written]) {
    for Written { topic, codecs, records } in topics {
        let request = json!({
            "op": "read", "topic": topic, "from": 0, "count": records.len(), "timeout_ms": 20_000,
        });
        let Some(answer) = ask(reader, &request) else { continue };
        let read: Vec<Record> = serde_json::from_value(answer["records"].clone()).expect("records");
        same(&read, records, 0)
            .unwrap_or_else(|error| panic!("{name} reads {topic}, written as {codecs:?}: {error}"));
    }
}

#[test]
fn every_client_reads_what_any_client_wrote() {
    let data = data_dir();
    let node = Node::begin_server(data.path(), Ports::free(), PROMPT).ready();
    let mut clients: Vec<(&str, Box<dyn Client>)> = Vec::new();
    for kind in CLIENTS {
        let Some(client) = start(kind.name, &node.kafka) else { return };
        clients.push((kind.name, client));
    }
    let mut topics = Vec::new();
    for (at, (name, client)) in clients.iter_mut().enumerate() {
        for (part, codecs) in CODECS.iter().enumerate() {
            let topic = format!("written-{at}-{part}");
            create_topic(&node.kafka, &topic, 1, &[]);
            let written = write(&mut **client, topic, codecs);
            let has_them = *name != "kafkajs" || part == 0;
            assert_eq!(written.codecs, if has_them { codecs } else { &[][..] }, "{name}");
            if has_them {
                topics.push(written);
            }
        }
    }

    for (name, client) in &mut clients {
        read_all(name, &mut **client, &topics);
    }
}
