//! Stored bytes are those of Kafka's own classes; see `tests/java`.

use std::collections::BTreeMap;

use aquifer_group::{Decoded, GroupId, GroupRecord, MemberId, MemberValue, OffsetValue};
use aquifer_types::{Offset, TimestampMs, TopicId, Uuid};

use crate::cluster::name;

struct Line {
    name: String,
    version: i16,
    key: Vec<u8>,
    value: Vec<u8>,
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().map(|digit| digit.to_digit(16).expect("hex") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn lines() -> Vec<Line> {
    let golden = include_str!("../golden/records.txt");
    let lines = golden.lines().map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        Line {
            name: fields[0].to_owned(),
            version: fields[1].parse().expect("a version"),
            key: bytes(fields[2]),
            value: bytes(fields[3]),
        }
    });
    lines.collect()
}

fn decode(key: &[u8], value: Option<&[u8]>) -> GroupRecord {
    match GroupRecord::decode(key, value) {
        Ok(Decoded::Record(record)) => record,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_record_is_read_and_written_as_kafka_does() {
    let mut written = BTreeMap::new();
    for line in lines() {
        let record = decode(&line.key, Some(&line.value));

        assert_eq!(record.key(), line.key, "{}", line.name);
        let writes = record.value().expect("a value");
        if writes[..2] == line.value[..2] {
            // Records without epochs are written with them.
            if line.name != "current-without-epochs" {
                assert_eq!(writes, line.value, "{} {}", line.name, line.version);
            }
            *written.entry(line.name.clone()).or_insert(0) += 1;
        }
        assert_eq!(decode(&line.key, Some(&writes)), record, "{} {}", line.name, line.version);
    }
    // Each kind is written in some version that the oracle has.
    assert_eq!(written.len(), 16, "{written:?}");
}

#[test]
fn an_offset_is_read_field_by_field() {
    for line in lines().into_iter().filter(|line| line.name == "offset") {
        let GroupRecord::Offset { group, topic, partition, value: Some(value) } =
            decode(&line.key, Some(&line.value))
        else {
            panic!("not an offset")
        };

        let topic_id = u8::from(line.version == 4);
        let id: [u8; 16] = std::array::from_fn(|at| topic_id * (at as u8 + 1));
        let expected = OffsetValue {
            offset: Offset(1_234_567_890_123),
            leader_epoch: if line.version >= 3 { 5 } else { -1 },
            metadata: "größe".into(),
            committed_at: TimestampMs(1_700_000_000_000),
            expires_at: (line.version == 1).then_some(TimestampMs(1_700_000_009_999)),
            topic_id: TopicId(Uuid::from_bytes(id)),
        };
        assert_eq!((group, topic, partition), (GroupId::new("group"), name("orders"), 7));
        assert_eq!(value, expected, "version {}", line.version);
    }
}

#[test]
fn keys_without_a_value_are_removals() {
    for line in lines() {
        let record = decode(&line.key, None);

        assert_eq!(record.value(), None);
        assert_eq!(record.key(), line.key);
    }
}

#[test]
fn a_members_own_session_timeout_is_stored_beside_kafkas_fields() {
    let value = MemberValue { session_timeout_ms: Some(600_000), ..MemberValue::default() };
    let record =
        GroupRecord::Member { group: GroupId::new("g"), member: MemberId::new("m"), value: Some(value) };

    let written = record.value().expect("a value");

    // Tag 16753 as a variable-length number, four bytes.
    assert!(written.ends_with(&[1, 0xf1, 0x82, 0x01, 4, 0, 9, 0x27, 0xc0]), "{written:x?}");
    assert_eq!(decode(&record.key(), Some(&written)), record);
}

#[test]
fn what_is_unknown_is_said_to_be_and_what_is_damaged_is_refused() {
    for line in lines() {
        let mut later = line.value.clone();
        later[..2].copy_from_slice(&9i16.to_be_bytes());
        assert_eq!(GroupRecord::decode(&line.key, Some(&later)), Ok(Decoded::Unknown), "{}", line.name);

        let mut other_kind = line.key.clone();
        other_kind[..2].copy_from_slice(&99i16.to_be_bytes());
        assert_eq!(GroupRecord::decode(&other_kind, Some(&line.value)), Ok(Decoded::Unknown));

        for length in 0..line.value.len() {
            assert!(GroupRecord::decode(&line.key, Some(&line.value[..length])).is_err(), "{}", line.name);
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_survived(kind in 0i16..20, key: Vec<u8>, version in 0i16..5, value: Vec<u8>) {
        let key = [&kind.to_be_bytes()[..], &[0, 1, b'g', 0, 1, b'm'], &key].concat();
        let value = [&version.to_be_bytes()[..], &value].concat();

        if let Ok(Decoded::Record(record)) = GroupRecord::decode(&key, Some(&value)) {
            let again = record.value();
            if let Some(again) = again {
                proptest::prop_assert_eq!(decode(&record.key(), Some(&again)), record);
            }
        }
    }
}

/// What Kafka's classes make of a consumer that reads t and u and has t's partitions 0 and 2: version, subscription,
/// assignment.
pub fn embedded() -> Vec<(i16, Vec<u8>, Vec<u8>)> {
    let golden = include_str!("../golden/embedded.txt");
    let lines = golden.lines().map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        (fields[0].parse().expect("a version"), bytes(fields[1]), bytes(fields[2]))
    });
    lines.collect()
}
