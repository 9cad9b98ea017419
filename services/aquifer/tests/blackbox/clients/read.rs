//! Reading: by offset, by time, from the ends, beyond the ends, and while somebody writes.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::Capability;
use super::client::Record;
use super::produce::repetitive;
use super::scene::{Scene, refused, same};
use super::table::Column;
use crate::harness::{pause, run_ok, skip_without};

const OFFSET_OUT_OF_RANGE: i64 = 1;

pub(super) const CAPABILITIES: &[Capability] = &[
    (Column::Consume, "beginning and end offsets", ends),
    (Column::Consume, "seek to an offset", seek),
    (Column::TimeSeek, "timestamps, seek by time", by_time),
    (Column::Consume, "out of range: an error where no reset is set", |scene| out_of_range(scene, "none")),
    (Column::Consume, "out of range: reset to the earliest", |scene| out_of_range(scene, "earliest")),
    (Column::Consume, "out of range: reset to the latest", reset_to_latest),
    (Column::Consume, "read while another writes", follow),
];

fn ends(scene: &mut Scene) -> Result<()> {
    scene.create("ends", 1)?;
    let ask = json!({ "op": "ends", "topic": "ends" });
    ensure!(scene.ask(&ask)? == json!({ "beginning": 0, "end": 0 }), "an empty topic has no extent");

    scene.produce(json!({ "topic": "ends" }), &repetitive(25), 0)?;

    let told = scene.ask(&ask)?;
    ensure!(told == json!({ "beginning": 0, "end": 25 }), "{told} of 25 records");
    Ok(())
}

fn seek(scene: &mut Scene) -> Result<()> {
    let records = repetitive(100);
    scene.create("seek", 1)?;
    scene.produce(json!({ "topic": "seek" }), &records, 0)?;
    for from in [0, 37, 99] {
        let request =
            json!({ "op": "read", "topic": "seek", "from": from, "count": 1, "timeout_ms": 20_000 });
        let read: Vec<Record> = serde_json::from_value(scene.ask(&request)?["records"].clone())?;
        same(&read, &records[from..=from], from as i64)?;
    }
    Ok(())
}

fn by_time(scene: &mut Scene) -> Result<()> {
    const FIRST: i64 = 1_700_000_000_000;
    let records: Vec<Record> = (0..50)
        .map(|n| Record { timestamp: Some(FIRST + n * 1000), ..Record::new(format!("k{n}"), "timed") })
        .collect();
    // Or retention would delete what is this old.
    let configs = json!({ "retention.ms": "-1" });
    scene.ask_either(
        &json!({ "op": "create_topic", "topic": "timed", "partitions": 1, "configs": configs }),
    )?;
    // In batches of its own each, and all in one: the index leads to a batch, its records to the offset.
    for (at, part) in [(0, &records[..20]), (20, &records[20..21]), (21, &records[21..])] {
        let told = scene.ask_either(&json!({ "op": "produce", "topic": "timed", "records": part }))?;
        ensure!(told["offsets"][0] == at, "{told} was told, not {at} and on");
    }
    same(&scene.read("timed", 0, 0, records.len())?, &records, 0)?;

    let mut offset_at = |timestamp| -> Result<Value> {
        let request = json!({ "op": "offset_for_time", "topic": "timed", "timestamp": timestamp });
        Ok(scene.ask(&request)?["offset"].clone())
    };
    for (timestamp, offset) in
        [(0, 0), (FIRST, 0), (FIRST + 1, 1), (FIRST + 7000, 7), (FIRST + 20_000, 20), (FIRST + 48_500, 49)]
    {
        let told = offset_at(timestamp)?;
        ensure!(told == json!(offset), "{told} was told for {timestamp}, {offset} it is");
    }
    // Where nothing is that young, clients say so or tell the end.
    let told = offset_at(FIRST + 50_000)?;
    ensure!(told.is_null() || told == json!(50), "{told} was told for a time after all records");
    Ok(())
}

fn out_of_range(scene: &mut Scene, reset: &str) -> Result<()> {
    let (topic, records) = (format!("range-{reset}"), repetitive(10));
    scene.create(&topic, 1)?;
    scene.produce(json!({ "topic": topic }), &records, 0)?;

    let answer = scene.ask(&json!({
        "op": "read", "topic": topic, "from": 1_000_000, "count": 10, "reset": reset, "timeout_ms": 20_000,
    }));

    if reset == "none" {
        return refused(answer, &[OFFSET_OUT_OF_RANGE]);
    }
    same(&serde_json::from_value::<Vec<Record>>(answer?["records"].clone())?, &records, 0)
}

fn reset_to_latest(scene: &mut Scene) -> Result<()> {
    scene.create("range-latest", 1)?;
    scene.produce(json!({ "topic": "range-latest" }), &repetitive(10), 0)?;
    let read = read_beside_kcat(scene, "range-latest", 1_000_000, 3)?;
    ensure!(read.len() == 3, "{} records were read", read.len());
    ensure!(read[0].offset >= 10, "{} was read, before the end there was", read[0].offset);
    ensure!(read.windows(2).all(|two| two[0].offset + 1 == two[1].offset), "with gaps: {read:?}");
    Ok(())
}

fn follow(scene: &mut Scene) -> Result<()> {
    scene.create("follow", 1)?;
    let read = read_beside_kcat(scene, "follow", 0, 20)?;
    let expected: Vec<Record> =
        (0..20).map(|n| Record { key: None, ..Record::new("", n.to_string()) }).collect();
    same(&read, &expected, 0)
}

/// Reads `count` records while kcat writes numbers, one at a time, until the reader has enough.
fn read_beside_kcat(scene: &mut Scene, topic: &str, from: i64, count: usize) -> Result<Vec<Record>> {
    if skip_without("kcat") {
        return Ok(Vec::new());
    }
    let bootstrap = scene.node.kafka.clone();
    let enough = AtomicBool::new(false);
    let request = json!({
        "op": "read", "topic": topic, "from": from, "count": count, "reset": "latest", "timeout_ms": 40_000,
    });
    let answer = std::thread::scope(|scope| {
        std::thread::Builder::new()
            .spawn_scoped(scope, || {
                for n in 0.. {
                    run_ok("kcat", &["-b", &bootstrap, "-P", "-t", topic, "-p", "0"], &format!("{n}\n"));
                    pause();
                    if enough.load(Ordering::Relaxed) {
                        return;
                    }
                }
            })
            .expect("a thread");
        let answer = scene.ask(&request);
        enough.store(true, Ordering::Relaxed);
        answer
    });
    serde_json::from_value(answer?["records"].clone()).context("records")
}
