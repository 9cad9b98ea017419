//! Clients read a topic of which the older part is in object storage alone and the newer on local disk: from the start, backwards, and
//! by time.

use serde_json::{Value, json};

use super::client::{Client, Record};
use super::scene::same;
use super::start;
use crate::harness::{Node, data_dir};
use crate::tier::{FLUSH, TOPIC, create, partition, set, wait};

const CLIENTS: [&str; 3] = ["kcat", "confluent-kafka", "java"];
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
/// Of each codec, a second apart.
const RECORDS: i64 = 200;
const FIRST_TIME: i64 = 1_700_000_000_000;
/// So far apart are seeks that go backwards: not a multiple of what a codec has.
const STEP: usize = 87;

fn records(from: i64) -> Vec<Record> {
    let record = |offset: i64| Record {
        timestamp: Some(FIRST_TIME + offset * 1_000),
        headers: vec![("offset".to_owned(), Some(offset.to_string()))],
        ..Record::new(format!("key {offset}"), format!("value {offset} ").repeat(40))
    };
    (from..from + RECORDS).map(record).collect()
}

/// Writes every codec behind what there is, each by another client.
fn write(clients: &mut [(&str, Box<dyn Client>)], written: &mut Vec<Record>, codecs: &[&str]) {
    for codec in codecs {
        let from = i64::try_from(written.len()).expect("few");
        let records = records(from);
        let request = json!({ "op": "produce", "topic": TOPIC, "codec": codec, "records": records });
        // kcat gives records no times.
        let writer = 1 + written.len() / records.len() % (clients.len() - 1);
        let (name, client) = &mut clients[writer];
        client.ask(&request).unwrap_or_else(|error| panic!("{name} writes {codec}: {error}"));
        written.extend(records);
    }
}

fn ask(name: &str, client: &mut dyn Client, request: &Value) -> Value {
    client.ask(request).unwrap_or_else(|error| panic!("{name}: {request}: {error}"))
}

fn reads(name: &str, client: &mut dyn Client, written: &[Record], from: usize, count: usize) {
    let count = count.min(written.len() - from);
    let request = json!({ "op": "read", "topic": TOPIC, "from": from, "count": count, "timeout_ms": 30_000 });
    let answer = ask(name, client, &request);
    let read: Vec<Record> = serde_json::from_value(answer["records"].clone()).expect("records");
    let first = i64::try_from(from).expect("few");
    same(&read, &written[from..from + count], first)
        .unwrap_or_else(|error| panic!("{name} reads {count} from {from} on: {error}"));
}

#[test]
fn clients_read_across_the_border_of_the_tier_from_the_start_backwards_and_by_time() {
    let data = data_dir();
    let node = Node::start(data.path());
    let mut clients: Vec<(&str, Box<dyn Client>)> = Vec::new();
    for name in CLIENTS {
        let Some(client) = start(name, &node.kafka) else { return };
        clients.push((name, client));
    }
    create(&node, &[("retention.ms", "-1")]);
    let mut written = Vec::new();
    for codec in CODECS {
        write(&mut clients, &mut written, &[codec]);
        partition(&node, FLUSH);
    }
    let cold = i64::try_from(written.len()).expect("few");
    wait("only the tier has it", || partition(&node, 0).local_start == cold);
    set(&node, &[("local.retention.bytes", "-1")]);
    write(&mut clients, &mut written, &CODECS);
    let state = partition(&node, 0);
    assert_eq!((state.local_start, state.high_watermark), (cold, 2 * cold), "{state:?}");

    for (name, client) in &mut clients {
        let client = &mut **client;
        reads(name, client, &written, 0, written.len());
        for from in (0..written.len()).rev().step_by(STEP) {
            reads(name, client, &written, from, 3);
        }
        for offset in (0..2 * cold).step_by(STEP) {
            let request = json!({
                "op": "offset_for_time", "topic": TOPIC, "partition": 0,
                "timestamp": FIRST_TIME + offset * 1_000 - 500,
            });
            let found = ask(name, client, &request);
            assert_eq!(found["offset"], offset, "{name} looks for a time");
            reads(name, client, &written, usize::try_from(offset).expect("positive"), 2);
        }
    }
    assert_eq!(partition(&node, 0).local_start, cold, "the border stood still");
}
