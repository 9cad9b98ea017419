//! Tests of reading records: what lies about itself is an error, never a panic.

use proptest::prelude::*;

use super::*;
use crate::{Attributes, BatchBuilder, Encoding, NewRecord};

fn packed(records: &[NewRecord<'_>], encoding: Encoding) -> Vec<u8> {
    let mut builder = BatchBuilder::new(encoding);
    for record in records {
        builder.push(record).expect("fits");
    }
    builder.build().expect("builds")
}

fn three() -> (BatchHeader, Vec<u8>) {
    let value = NewRecord { key: Some(b"key"), value: Some(b"value"), ..NewRecord::default() };
    let batch = packed(&[value; 3], Encoding::NONE);
    (BatchHeader::parse(&batch).expect("parses"), batch[61..].to_vec())
}

fn error(header: BatchHeader, body: &[u8]) -> Option<RecordError> {
    Records::new(&header, body).find_map(Result::err)
}

#[test]
fn a_header_that_counts_wrong_is_found_out() {
    let (header, body) = three();

    let more = BatchHeader { count: 4, last_offset_delta: 3, ..header };
    assert_eq!(error(more, &body), Some(RecordError::Missing { missing: 1 }));
    let fewer = BatchHeader { count: 2, ..header };
    assert_eq!(error(fewer, &body), Some(RecordError::Trailing(body.len() / 3)));
    let shorter = BatchHeader { last_offset_delta: 1, ..header };
    assert_eq!(error(shorter, &body), Some(RecordError::OffsetDelta(2)));
}

#[test]
fn a_claim_of_two_billion_headers_allocates_nothing() {
    let (header, _) = three();
    let header = BatchHeader { count: 1, last_offset_delta: 0, ..header };
    let mut fields = vec![0, 0, 0, 1, 1];
    crate::varint::put_long(&mut fields, i64::from(i32::MAX));
    let mut body = Vec::new();
    crate::varint::put_long(&mut body, fields.len() as i64);
    body.extend_from_slice(&fields);

    assert_eq!(error(header, &body), Some(RecordError::Short));
}

#[test]
fn a_repeated_offset_is_refused() {
    let (header, body) = three();
    let one = &body[..body.len() / 3];

    assert_eq!(error(header, &one.repeat(3)), Some(RecordError::OffsetDelta(0)));
}

#[test]
fn an_unknown_codec_is_an_error() {
    let (header, body) = three();
    let header = BatchHeader { attributes: Attributes(6), ..header };

    assert!(matches!(decode(&header, &body, 1_000, &mut Vec::new()), Err(CodecError::UnknownCompression(6))));
}

#[test]
fn headers_keep_their_order_and_repeats() {
    let first = Header { key: b"name", value: Some(b"one") };
    let second = Header { key: b"name", value: None };
    let record = NewRecord { headers: &[first, second], ..NewRecord::default() };
    let batch = packed(&[record], Encoding::NONE);
    let header = BatchHeader::parse(&batch).expect("parses");

    let read = Records::new(&header, &batch[61..]).next().expect("one").expect("sound");

    assert_eq!(read.headers.len(), 2);
    assert_eq!(read.headers.collect::<Vec<_>>(), [first, second]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_under_any_header_end_in_records_or_an_error(
        body in prop::collection::vec(any::<u8>(), 0..200),
        attributes in 0i16..5,
        count in 0..1_000i32,
        last_offset_delta: i32,
        base_timestamp: i64,
    ) {
        let (header, _) = three();
        let base_timestamp = TimestampMs(base_timestamp);
        let header = BatchHeader { attributes: Attributes(attributes), count, last_offset_delta, base_timestamp, ..header };
        let mut scratch = Vec::new();
        if let Ok(records) = decode(&header, &body, 10_000, &mut scratch) {
            for record in records.flatten() {
                prop_assert_eq!(record.headers.count(), record.headers.len());
            }
        }
        prop_assert!(scratch.len() <= 10_000);
    }

    #[test]
    fn a_damaged_batch_ends_in_records_or_an_error(at: prop::sample::Index, with: u8) {
        let (header, mut body) = three();
        let at = at.index(body.len());
        body[at] = with;
        prop_assert!(Records::new(&header, &body).count() <= 4);
    }
}
