//! Batches and produce requests that are not what they should be.

use std::collections::BTreeMap;

use aquifer_record::{Attributes, BatchBuilder, Compression, Encoding};
use aquifer_types::{ProducerEpoch, ProducerId, Uuid};
use aquifer_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use aquifer_wire::messages::{InitProducerIdRequest, ListOffsetsRequest, ProduceRequest};
use aquifer_wire::{ErrorCode, Text};
use bytes::Bytes;

use super::node::{Assaulted, GROWTH_MAX};
use crate::wire::{Port, batch, batch_of, delete, produce, produced, tampered};

/// Where a batch says things, from its start.
const LENGTH_AT: usize = 8;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const LAST_DELTA_AT: usize = 23;
const COUNT_AT: usize = 57;

fn refused(port: &mut Port, records: Bytes, code: ErrorCode) {
    let answer = produced(port, &produce("steady", 1, records));
    assert_eq!(answer.error_code, code, "{answer:?}");
    assert!(answer.error_message.is_some(), "{code:?} came without a word");
}

fn with_byte(at: usize, byte: u8) -> Bytes {
    tampered(&batch(b"value"), |bytes| bytes[at] = byte)
}

#[test]
fn batches_that_contradict_themselves_are_refused() {
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    let sound = batch(b"value");
    let mut wrong_crc = sound.to_vec();
    wrong_crc[CRC_AT] ^= 1;
    refused(&mut port, Bytes::from(wrong_crc), ErrorCode::CORRUPT_MESSAGE);
    let mut flipped = sound.to_vec();
    *flipped.last_mut().expect("bytes") ^= 1;
    refused(&mut port, Bytes::from(flipped), ErrorCode::CORRUPT_MESSAGE);
    refused(&mut port, Bytes::new(), ErrorCode::INVALID_RECORD);
    refused(&mut port, sound.slice(..30), ErrorCode::CORRUPT_MESSAGE);
    refused(&mut port, sound.slice(..sound.len() - 1), ErrorCode::CORRUPT_MESSAGE);
    // Lengths that are negative, or beyond what came.
    refused(&mut port, with_byte(LENGTH_AT, 0x80), ErrorCode::CORRUPT_MESSAGE);
    refused(&mut port, with_byte(LENGTH_AT, 0x7f), ErrorCode::MESSAGE_TOO_LARGE);
    refused(&mut port, with_byte(MAGIC_AT, 1), ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT);
    refused(&mut port, with_byte(MAGIC_AT, 9), ErrorCode::CORRUPT_MESSAGE);
    // Counts that are negative, or not what the offsets say.
    refused(&mut port, with_byte(COUNT_AT, 0x80), ErrorCode::CORRUPT_MESSAGE);
    refused(&mut port, with_byte(COUNT_AT + 3, 2), ErrorCode::INVALID_RECORD);
    refused(&mut port, with_byte(LAST_DELTA_AT, 0x80), ErrorCode::CORRUPT_MESSAGE);
    refused(&mut port, with_byte(ATTRIBUTES_AT + 1, 7), ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    refused(&mut port, with_byte(ATTRIBUTES_AT, 0x40), ErrorCode::INVALID_RECORD);
    // Two batches for one partition.
    refused(&mut port, Bytes::from([&sound[..], &sound[..]].concat()), ErrorCode::INVALID_RECORD);
    let control = |attributes: Attributes| {
        let mut builder = BatchBuilder::new(Encoding::NONE);
        builder.attributes(attributes).producer(ProducerId(1), ProducerEpoch(0), 0);
        batch_of(builder, &[(Some(b"k"), b"v")])
    };
    refused(&mut port, control(Attributes::default().with_control()), ErrorCode::INVALID_RECORD);
    let transactional = control(Attributes::default().with_transactional());
    refused(&mut port, transactional, ErrorCode::INVALID_TXN_STATE);
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn a_batch_over_the_topics_limit_is_refused() {
    let mut assaulted = Assaulted::start();
    refused(&mut assaulted.port(), batch(&vec![7; 1_100_000]), ErrorCode::MESSAGE_TOO_LARGE);
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn requests_that_contradict_themselves_are_refused() {
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    let sound = produce("steady", 1, batch(b"value"));
    let odd_acks = ProduceRequest { acks: 5, ..sound.clone() };
    assert_eq!(produced(&mut port, &odd_acks).error_code, ErrorCode::INVALID_REQUIRED_ACKS);
    for partition in [-1, 2, i32::MAX] {
        let answer = produced(&mut port, &produce("steady", partition, batch(b"value")));
        assert_eq!(answer.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "{partition}");
    }
    let transactional = ProduceRequest { transactional_id: Some(Text::from("t")), ..sound.clone() };
    assert_eq!(produced(&mut port, &transactional).error_code, ErrorCode::INVALID_TXN_STATE);

    // A partition twice, within a topic and in a topic named twice: the first counts.
    let mut twice = sound.clone();
    let again = twice.topic_data[0].partition_data[0].clone();
    twice.topic_data[0].partition_data.push(again);
    twice.topic_data.push(sound.topic_data[0].clone());
    let answer = port.call(9, &twice);
    let codes: Vec<ErrorCode> = answer
        .responses
        .iter()
        .flat_map(|topic| topic.partition_responses.iter().map(|partition| partition.error_code))
        .collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::INVALID_REQUEST, ErrorCode::INVALID_REQUEST]);

    // Without acknowledgement nobody reads an answer: the connection says it.
    let silent = ProduceRequest { acks: 0, ..produce("nowhere", 0, batch(b"value")) };
    port.send(9, &silent);
    assert!(port.receive().is_none());
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn topic_ids_of_nothing_and_of_the_past_are_refused() {
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    let mut by_id = |id: Uuid| {
        let mut request = produce("", 0, batch(b"value"));
        request.topic_data[0].topic_id = id;
        port.call(13, &request).responses[0].partition_responses[0].error_code
    };
    assert_eq!(by_id(Uuid::default()), ErrorCode::UNKNOWN_TOPIC_ID);
    assaulted.create("again", 1, &BTreeMap::new());
    let past = assaulted.port().topic_id("again");
    assert_eq!(by_id(past), ErrorCode::NONE);
    delete(&mut assaulted.port(), "again");
    assaulted.create("again", 1, &BTreeMap::new());
    assert_eq!(by_id(past), ErrorCode::UNKNOWN_TOPIC_ID);
    assert_eq!(by_id(assaulted.port().topic_id("again")), ErrorCode::NONE);
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn producers_that_skip_or_fall_behind_are_refused() {
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    let init = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 1000,
        producer_id: -1,
        producer_epoch: -1,
    };
    let given = port.call(4, &init);
    assert_eq!(given.error_code, ErrorCode::NONE);
    let mut with = |epoch: i16, sequence: i32| {
        let mut builder = BatchBuilder::new(Encoding::NONE);
        builder.producer(ProducerId(given.producer_id), ProducerEpoch(epoch), sequence);
        produced(&mut port, &produce("steady", 1, batch_of(builder, &[(None, b"v")])))
    };
    let first = with(1, 0);
    assert_eq!(first.error_code, ErrorCode::NONE);
    assert_eq!(with(1, 5).error_code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    let again = with(1, 0);
    assert_eq!((again.error_code, again.base_offset), (ErrorCode::NONE, first.base_offset));
    assert_eq!(with(0, 1).error_code, ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(with(2, 3).error_code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(with(1, -7).error_code, ErrorCode::INVALID_RECORD);
    assert_eq!(with(1, 1).error_code, ErrorCode::NONE);
    assaulted.unharmed(GROWTH_MAX);
}

/// A batch that unpacks to far more than it is; the fitting of its parts is not looked at before that.
fn bomb(compression: Compression) -> Bytes {
    batch_of(BatchBuilder::new(Encoding::from(compression)), &[(Some(b"key"), &vec![0; 300 << 20])])
}

#[test]
fn decompression_bombs_are_refused_where_records_must_be_read() {
    let mut assaulted = Assaulted::start();
    assaulted.create("compact", 1, &BTreeMap::from([("cleanup.policy", "compact")]));
    assaulted.create("recompressed", 1, &BTreeMap::from([("compression.type", "lz4")]));
    let mut port = assaulted.port();
    for compression in [Compression::Gzip, Compression::Zstd] {
        let bomb = bomb(compression);
        assert!(bomb.len() < 1 << 20, "{} bytes are no bomb", bomb.len());
        for topic in ["compact", "recompressed"] {
            let answer = produced(&mut port, &produce(topic, 0, bomb.clone()));
            assert_eq!(answer.error_code, ErrorCode::CORRUPT_MESSAGE, "{topic} {compression:?}: {answer:?}");
        }
    }
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn a_bomb_that_is_stored_unread_does_no_harm_when_many_ask_for_its_records_by_time() {
    // A batch may unpack to 256 MiB, and four do at a time, whoever asks.
    const PEAK_MAX: u64 = 5 * (256 << 20);
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    let stored = produced(&mut port, &produce("steady", 1, bomb(Compression::Zstd)));
    assert_eq!(stored.error_code, ErrorCode::NONE);
    let partition =
        ListOffsetsPartition { partition_index: 1, timestamp: 1, ..ListOffsetsPartition::default() };
    let topic = ListOffsetsTopic { name: Text::from("steady"), partitions: vec![partition] };
    let by_time = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() };
    let mut ports: Vec<Port> = (0..8).map(|_| assaulted.port()).collect();
    for port in &mut ports {
        port.send(7, &by_time);
    }
    for port in &mut ports {
        assert!(port.receive().is_some());
    }
    assaulted.unharmed(GROWTH_MAX);
    let peak = assaulted.node.peak_bytes();
    assert!(peak < PEAK_MAX, "it held {peak} bytes at its peak");
}

#[test]
fn records_that_cannot_be_read_are_refused_where_they_must_be() {
    let mut assaulted = Assaulted::start();
    assaulted.create("compact", 1, &BTreeMap::from([("cleanup.policy", "compact")]));
    let mut port = assaulted.port();
    let mut refused = |records: Bytes, code: ErrorCode| {
        let answer = produced(&mut port, &produce("compact", 0, records));
        assert_eq!(answer.error_code, code, "{answer:?}");
    };
    let keyless = batch_of(BatchBuilder::new(Encoding::NONE), &[(None, b"value")]);
    refused(keyless, ErrorCode::INVALID_RECORD);
    // A checksum over nonsense is a checksum: behind the header there are no records.
    let nonsense = tampered(&batch(b"value"), |bytes| bytes[61..].fill(0xff));
    refused(nonsense, ErrorCode::CORRUPT_MESSAGE);
    let packed = batch_of(BatchBuilder::new(Encoding::from(Compression::Zstd)), &[(Some(b"k"), b"v")]);
    refused(tampered(&packed, |bytes| bytes[61..].fill(0xff)), ErrorCode::CORRUPT_MESSAGE);
    assaulted.unharmed(GROWTH_MAX);
}
