//! A full disk: produce is refused for as long as it is full, everything else goes on, and it heals without a restart.

use std::collections::BTreeMap;

use aquifer_wire::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use aquifer_wire::messages::{DeleteRecordsRequest, MetadataRequest};
use aquifer_wire::{ErrorCode, Records, Text};
use bytes::Bytes;

use crate::harness::{Node, pause, run_ok, skip_without};
use crate::mounted::{Mounted, skip_without_mounts};
use crate::wire::{Port, batch, create, delete, fetch, produce, produced};

const TIMEOUT_MS: i32 = 10_000;

/// Writes until the disk is full; says how many batches were taken.
fn fill(port: &mut Port, topic: &str, batch: &Bytes) -> i64 {
    for taken in 0..1_000 {
        let answer = produced(port, &produce(topic, 0, batch.clone()));
        if answer.error_code != ErrorCode::NONE {
            assert_eq!(answer.error_code, ErrorCode::KAFKA_STORAGE_ERROR, "{answer:?}");
            assert!(answer.error_code.retriable(), "clients try again what may heal");
            assert!(answer.error_message.is_some(), "without a word");
            return taken;
        }
    }
    panic!("the disk never fills");
}

/// Waits until there is room for much; what is freed is freed segment by segment.
fn heals(port: &mut Port, batch: &Bytes, what: &str) {
    let mut taken = 0;
    for _ in 0..3_000 {
        taken += fill(port, "other", batch);
        if taken > 20 {
            return;
        }
        pause();
    }
    panic!("only {taken} batches were taken after {what}");
}

#[test]
fn a_full_disk_refuses_produce_alone_and_heals_without_a_restart() {
    if skip_without("mkfs.ext4") || skip_without("kcat") {
        return;
    }
    let mounted = match Mounted::new("ext4", 160) {
        Ok(mounted) => mounted,
        Err(reason) => return skip_without_mounts(&reason),
    };
    let data = mounted.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    let node = Node::start(&data);
    let mut port = Port::open(&node.kafka);
    create(&mut port, "filler", 1, &BTreeMap::from([("segment.bytes", "4194304")]));
    create(&mut port, "other", 1, &BTreeMap::new());
    create(&mut port, "patient", 1, &BTreeMap::new());
    let large = batch(&vec![7; 900_000]);

    let taken = fill(&mut port, "filler", &large);

    assert!(taken > 20, "full after {taken} batches");
    // Everything else goes on.
    assert!(node.is_ready(), "full is a state to serve in");
    port.call(12, &MetadataRequest::default());
    let fetched = port.call(12, &fetch("filler", 0, taken - 1));
    let records = fetched.responses[0].partitions[0].records.as_ref().and_then(Records::as_bytes);
    assert!(records.is_some_and(|records| records.len() > 900_000), "the last record taken is served");
    // A client that was told to try again does, and is served once there is room.
    let bootstrap = node.kafka.clone();
    let patient = std::thread::Builder::new().spawn(move || {
        let limit = ["-X", "message.timeout.ms=60000"];
        let produce = ["-b", &bootstrap, "-P", "-t", "patient", "-p", "0"];
        run_ok("kcat", &[&produce[..], &limit[..]].concat(), "patience\n")
    });

    let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset: -1 }];
    let topics = vec![DeleteRecordsTopic { name: Text::from("filler"), partitions }];
    let deleted = port.call(2, &DeleteRecordsRequest { topics, timeout_ms: TIMEOUT_MS });
    let deleted = &deleted.topics[0].partitions[0];
    assert_eq!((deleted.error_code, deleted.low_watermark), (ErrorCode::NONE, taken));
    heals(&mut port, &large, "records were deleted");

    // Full again, of what was taken since.
    delete(&mut port, "other");
    patient.expect("a thread").join().expect("the patient client is served");
    create(&mut port, "other", 1, &BTreeMap::new());
    heals(&mut port, &large, "the topic was deleted");

    let read = run_ok("kcat", &["-b", &node.kafka, "-C", "-t", "patient", "-o", "beginning", "-e", "-q"], "");
    assert_eq!(read, "patience\n");
}
