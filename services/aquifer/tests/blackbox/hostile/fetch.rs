//! Reads from where nothing is, by epochs that are not, and in more sessions than there may be.

use std::collections::BTreeMap;

use aquifer_types::Uuid;
use aquifer_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use aquifer_wire::messages::{FetchRequest, ListOffsetsRequest};
use aquifer_wire::{ErrorCode, Text};
use bytes::Bytes;

use super::node::{Assaulted, GROWTH_MAX};
use crate::wire::{batch, delete, fetch, produce, produced, tampered};

#[test]
fn offsets_out_of_range_are_refused() {
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    for offset in [-1, -5, 1_000, i64::MAX, i64::MIN] {
        let answer = port.call(12, &fetch("steady", 0, offset));
        let code = answer.responses[0].partitions[0].error_code;
        assert_eq!(code, ErrorCode::OFFSET_OUT_OF_RANGE, "{offset}");
    }
    for partition in [-1, 2, i32::MIN] {
        let answer = port.call(12, &fetch("steady", partition, 0));
        let code = answer.responses[0].partitions[0].error_code;
        assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "{partition}");
    }
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn a_batch_that_lies_about_its_times_hides_no_later_record() {
    const MAX_TIMESTAMP_AT: std::ops::Range<usize> = 35..43;
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    assaulted.create("dated", 1, &BTreeMap::new());
    let time_of =
        |batch: &Bytes| i64::from_be_bytes(batch[MAX_TIMESTAMP_AT].try_into().expect("eight bytes"));
    let lie = batch(b"first");
    let first = time_of(&lie);
    let lie =
        tampered(&lie, |bytes| bytes[MAX_TIMESTAMP_AT].copy_from_slice(&(first + 60_000).to_be_bytes()));
    produced(&mut port, &produce("dated", 0, lie));
    let mut later = batch(b"second");
    while time_of(&later) <= first {
        later = batch(b"second");
    }
    produced(&mut port, &produce("dated", 0, later.clone()));

    let partition = ListOffsetsPartition { timestamp: time_of(&later), ..ListOffsetsPartition::default() };
    let topic = ListOffsetsTopic { name: Text::from("dated"), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() };
    let answer = port.call(7, &request);
    let found = &answer.topics[0].partitions[0];
    assert_eq!((found.error_code, found.offset, found.timestamp), (ErrorCode::NONE, 1, time_of(&later)));
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn epochs_of_the_past_and_of_the_future_are_refused() {
    let mut assaulted = Assaulted::start().restarted();
    let mut port = assaulted.port();
    let mut with_epoch = |epoch: i32| {
        let mut request = fetch("steady", 0, 0);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        let fetched = port.call(12, &request).responses[0].partitions[0].error_code;
        let partition = ListOffsetsPartition {
            current_leader_epoch: epoch,
            timestamp: -1,
            ..ListOffsetsPartition::default()
        };
        let topic = ListOffsetsTopic { name: Text::from("steady"), partitions: vec![partition] };
        let request =
            ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() };
        let listed = port.call(7, &request).topics[0].partitions[0].error_code;
        (fetched, listed)
    };
    assert_eq!(with_epoch(-1), (ErrorCode::NONE, ErrorCode::NONE));
    let future = (ErrorCode::UNKNOWN_LEADER_EPOCH, ErrorCode::UNKNOWN_LEADER_EPOCH);
    assert_eq!(with_epoch(i32::MAX), future);
    let present = (0..10).find(|epoch| with_epoch(*epoch).0 == ErrorCode::NONE).expect("one leads");
    assert!(present > 0, "a restart begins another epoch");
    for past in 0..present {
        assert_eq!(with_epoch(past), (ErrorCode::FENCED_LEADER_EPOCH, ErrorCode::FENCED_LEADER_EPOCH));
    }
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn topic_ids_of_nothing_and_of_the_past_are_refused() {
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    let mut by_id = |id: Uuid| {
        let mut request = fetch("", 0, 0);
        request.topics[0].topic_id = id;
        port.call(17, &request).responses[0].partitions[0].error_code
    };
    assert_eq!(by_id(Uuid::default()), ErrorCode::UNKNOWN_TOPIC_ID);
    assert_eq!(by_id(assaulted.port().topic_id("steady")), ErrorCode::NONE);
    assaulted.create("again", 1, &BTreeMap::new());
    let past = assaulted.port().topic_id("again");
    delete(&mut assaulted.port(), "again");
    assaulted.create("again", 1, &BTreeMap::new());
    assert_eq!(by_id(past), ErrorCode::UNKNOWN_TOPIC_ID);
    assert_eq!(by_id(assaulted.port().topic_id("again")), ErrorCode::NONE);
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn a_follower_on_a_clients_port_is_shown_the_door() {
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    port.send(12, &FetchRequest { replica_id: 3, ..fetch("steady", 0, 0) });
    assert!(port.receive().is_none());
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn a_partition_named_twice_and_limits_of_nothing_are_answered() {
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    let mut twice = fetch("steady", 0, 0);
    let again = twice.topics[0].partitions[0].clone();
    twice.topics[0].partitions.push(again);
    port.call(12, &twice);
    let limits = FetchRequest {
        max_bytes: i32::MIN,
        min_bytes: i32::MAX,
        max_wait_ms: i32::MIN,
        isolation_level: 99,
        ..fetch("steady", 0, 0)
    };
    port.call(12, &limits);
    assaulted.unharmed(GROWTH_MAX);
}

#[test]
fn ten_thousand_sessions_fill_a_table_and_are_answered_without_one_beyond_it() {
    const SESSIONS: usize = 10_000;
    const AT_ONCE: usize = 50;
    let mut assaulted = Assaulted::start();
    let mut port = assaulted.port();
    let open = FetchRequest { session_id: 0, session_epoch: 0, ..fetch("steady", 0, 0) };
    let mut given = Vec::new();
    for _ in 0..SESSIONS / AT_ONCE {
        for _ in 0..AT_ONCE {
            port.send(12, &open);
        }
        for _ in 0..AT_ONCE {
            let answer: aquifer_wire::messages::FetchResponse = port.answer(12).expect("an answer");
            assert_eq!(answer.error_code, ErrorCode::NONE);
            assert!(answer.responses[0].partitions[0].records.is_some(), "with or without a session");
            given.extend((answer.session_id != 0).then_some(answer.session_id));
        }
    }
    assert!(!given.is_empty() && given.len() <= SESSIONS / 4, "{} sessions are remembered", given.len());

    let mut go_on = |session_id: i32, session_epoch: i32| {
        let request = FetchRequest { session_id, session_epoch, topics: Vec::new(), ..fetch("steady", 0, 0) };
        port.call(12, &request).error_code
    };
    assert_eq!(go_on(given[0], 1), ErrorCode::NONE, "the first one is not forgotten for the others");
    assert_eq!(go_on(given[0], 7), ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    let foreign = (1..).find(|id| !given.contains(id)).expect("a number");
    assert_eq!(go_on(foreign, 1), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    assaulted.unharmed(GROWTH_MAX);
}
