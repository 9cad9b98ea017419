//! Bodies of records in JSON and as messages, whatever is in them.

use aquifer_contract::v1;
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::mangled::mangled;

fn json() -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        "\"(key|value)_text\":\"[ -!#-\\[^-~]{0,9}\"",
        "\"(key|value)_base64\":\"([A-Za-z0-9+/]{4}){0,3}\"",
        "\"value_json\":(null|-?[0-9]{1,20}(\\.[0-9]+)?|\\{\"a\":\\[[0-9]\\]\\})",
        "\"tombstone\":(true|false)",
        "\"partition\":-?[0-9]{1,11}",
        "\"timestamp\":(-?[0-9]{1,20}|\"20[0-9]{2}-0[1-9]-[0-2][0-9]T0[0-9]:00:00Z\")",
        "\"headers\":\\[(\\{\"name\":\"h\",\"value_text\":\"v\"\\})?\\]",
    ];
    let record = prop::collection::vec(field, 0..5).prop_map(|fields| format!("{{{}}}", fields.join(",")));
    let records = prop::collection::vec(record, 0..4);
    (records, "(,\"producer_state\":\"c\\.[A-Z]{0,4}\")?")
        .prop_map(|(records, more)| format!("{{\"records\":[{}]{more}}}", records.join(",")).into_bytes())
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let bytes = || prop::option::of(prop::collection::vec(any::<u8>(), 0..9));
    let header = ("[a-z]{0,3}", bytes()).prop_map(|(name, value)| v1::Header { name, value });
    let record = (
        prop::option::of(any::<i32>()),
        bytes(),
        bytes(),
        prop::collection::vec(header, 0..3),
        prop::option::of(any::<i64>()),
    );
    let record = record.prop_map(|(partition, key, value, headers, timestamp_ms)| v1::NewRecord {
        partition,
        key,
        value,
        headers,
        timestamp_ms,
    });
    let request = (prop::collection::vec(record, 0..4), prop::option::of("[ -~]{0,9}"), any::<Option<i64>>());
    request.prop_map(|(records, idempotency_key, expected_offset)| {
        let request =
            v1::ProduceRequest { records, idempotency_key, expected_offset, ..v1::ProduceRequest::default() };
        request.encode_to_vec()
    })
}

proptest! {
    #[test]
    fn no_json_makes_reading_panic_and_what_is_read_could_be_written(body in mangled(json())) {
        let Ok(request) = read_json::<ProduceRequest<'_>>(&body) else { return Ok(()) };
        let Ok(records) = read_records(request.records) else { return Ok(()) };
        for record in records {
            prop_assert!(record.partition.is_none_or(|partition| partition >= 0));
            prop_assert!(record.timestamp.is_none_or(|time| time.0 >= 0));
        }
    }

    #[test]
    fn no_message_makes_reading_panic_and_its_records_are_those_in_it(body in mangled(message())) {
        let body = Bytes::from(body);
        let Ok(request) = protobuf::request("t", &body) else { return Ok(()) };
        let _refused = terms_of_message(&request, &HeaderMap::new());
        let Ok(records) = protobuf::records(&request) else { return Ok(()) };
        prop_assert_eq!(records.len(), request.records.len());
        for (record, sent) in records.iter().zip(&request.records) {
            prop_assert_eq!(record.key.as_deref(), sent.key.as_deref());
            prop_assert_eq!(record.value.as_deref(), sent.value.as_deref());
        }
    }
}
