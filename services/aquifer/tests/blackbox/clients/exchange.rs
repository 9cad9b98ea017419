//! What one client wrote, every other reads: codecs and clients, all with all.

use serde_json::{Value, json};

use super::client::{Client, Record, Refusal};
use super::produce::repetitive;
use super::scene::same;
use super::{CLIENTS, STAND_IN, start};
use crate::harness::{Node, data_dir};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

fn ask(client: &mut dyn Client, request: &Value) -> Option<Value> {
    match client.ask(request) {
        Ok(answer) => Some(answer),
        Err(Refusal::Absent(_)) => None,
        Err(refusal) => panic!("{request}: {refusal}"),
    }
}

#[test]
fn every_client_reads_what_any_client_wrote() {
    let data = data_dir();
    let node = Node::server(data.path());
    let mut clients: Vec<(&str, Box<dyn Client>)> = Vec::new();
    for (name, _) in CLIENTS {
        let Some(client) = start(name, &node.kafka) else { return };
        clients.push((name, client));
    }
    let records = repetitive(120);
    let topics: Vec<String> =
        CLIENTS.iter().flat_map(|(name, _)| CODECS.map(|codec| format!("{name}.{codec}"))).collect();
    let (_, stand_in) = clients.iter_mut().find(|(name, _)| *name == STAND_IN).expect("it was started");
    for topic in &topics {
        ask(&mut **stand_in, &json!({ "op": "create_topic", "topic": topic })).expect("it administers");
    }
    let mut written = Vec::new();
    for (name, client) in &mut clients {
        for codec in CODECS {
            let topic = format!("{name}.{codec}");
            let request = json!({ "op": "produce", "topic": topic, "codec": codec, "records": records });
            if ask(&mut **client, &request).is_some() {
                written.push(topic);
            }
        }
    }
    // kafkajs has three codecs, the others have all five.
    assert_eq!(written.len(), 23, "{written:?}");

    for (name, client) in &mut clients {
        for topic in &written {
            let request = json!({
                "op": "read", "topic": topic, "from": 0, "count": records.len(), "timeout_ms": 20_000,
            });
            let Some(answer) = ask(&mut **client, &request) else { continue };
            let read: Vec<Record> = serde_json::from_value(answer["records"].clone()).expect("records");
            same(&read, &records, 0).unwrap_or_else(|error| panic!("{name} reads {topic}: {error}"));
        }
    }
}
