//! Frames, holes and the refusals of the encoder.

use aquifer_types::Uuid;
use bytes::Bytes;

use crate::api::{ApiKey, RequestBody, ResponseBody};
use crate::decoder::DecodeError;
use crate::encoder::{EncodeError, Encoder, Piece};
use crate::error_code::ErrorCode;
use crate::frame::{RequestFrame, decode_response, encode_request, encode_response};
use crate::golden_test::joined;
use crate::header::RequestPrefix;
use crate::message::Message;
use crate::messages::fetch_response::{FetchableTopicResponse, LeaderIdAndEpoch, PartitionData};
use crate::messages::metadata_request::MetadataRequestTopic;
use crate::messages::produce_request::{PartitionProduceData, TopicProduceData};
use crate::messages::{
    ApiVersionsRequest, ApiVersionsResponse, FetchResponse, MetadataRequest, ProduceRequest,
};
use crate::records::{Hole, Records};
use crate::text::Text;

fn partition(index: i32, records: impl Into<Records>) -> PartitionData {
    PartitionData {
        partition_index: index,
        high_watermark: 42,
        aborted_transactions: None,
        current_leader: LeaderIdAndEpoch { leader_id: 1, leader_epoch: 7 },
        records: Some(records.into()),
        ..PartitionData::default()
    }
}

fn fetch_response(partitions: Vec<PartitionData>) -> FetchResponse {
    let topic_id = Uuid::from_bytes([9; 16]);
    let topic = FetchableTopicResponse { topic_id, partitions, ..FetchableTopicResponse::default() };
    FetchResponse { responses: vec![topic], ..FetchResponse::default() }
}

fn produce_request(records: Bytes) -> ProduceRequest {
    let partition = PartitionProduceData { index: 3, records: Some(records.into()) };
    let topic =
        TopicProduceData { name: "t".into(), partition_data: vec![partition], ..TopicProduceData::default() };
    ProduceRequest { acks: -1, timeout_ms: 1000, topic_data: vec![topic], ..ProduceRequest::default() }
}

#[test]
fn a_fetch_response_with_holes_is_the_plain_one_once_they_are_filled() {
    let lengths = [5000u32, 0, 100, 70_000];
    let hole = |token: usize| Hole { length: lengths[token], token: token as u32 };
    let plain = (0..4).map(|i| partition(i, Bytes::from(vec![0; lengths[i as usize] as usize]))).collect();
    let holed = (0..4).map(|i| partition(i, hole(i as usize))).collect();

    for version in [13, 18] {
        let plain = encode_response(5, version, &fetch_response(Vec::clone(&plain))).expect("encodable");
        let holed = encode_response(5, version, &fetch_response(Vec::clone(&holed))).expect("encodable");

        assert_eq!(joined(&plain), joined(&holed));
        let tokens: Vec<Hole> = holed
            .iter()
            .filter_map(|piece| match piece {
                Piece::Hole(hole) => Some(*hole),
                Piece::Bytes(_) => None,
            })
            .collect();
        assert_eq!(tokens, [hole(0), hole(2), hole(3)]);
        let size = joined(&plain).len() - 4;
        assert_eq!(joined(&plain)[..4], (size as i32).to_be_bytes());
    }
}

#[test]
fn big_record_bytes_leave_a_produce_request_without_a_copy_and_alias_the_frame_when_read() {
    let records = Bytes::from(vec![7; 10_000]);

    let pieces = encode_request(1, None, 9, &produce_request(records.clone())).expect("encodable");

    let Some(Piece::Bytes(sent)) = pieces.get(1) else { panic!("records stand by themselves: {pieces:?}") };
    assert_eq!((sent.as_ptr(), sent.len()), (records.as_ptr(), records.len()));
    let frame = joined(&pieces).slice(4..);
    let parsed = RequestFrame::parse(&frame).expect("a valid frame");
    let request = ProduceRequest::decode_body(9, &parsed.body).expect("a valid body");
    let read = request.topic_data[0].partition_data[0].records.as_ref().and_then(Records::as_bytes);
    let read = read.expect("record bytes");
    assert_eq!(*read, records);
    assert!(frame.as_ptr_range().contains(&read.as_ptr()));
}

#[test]
fn small_record_bytes_do_not_make_a_piece_of_their_own() {
    let pieces =
        encode_request(1, None, 9, &produce_request(Bytes::from_static(b"batch"))).expect("encodable");

    assert_eq!(pieces.len(), 1);
}

#[test]
fn requests_and_responses_survive_the_way_through_a_frame() {
    let client = Text::from_static("client");
    let request = MetadataRequest { topics: None, ..MetadataRequest::default() };

    for version in 1..=13 {
        let pieces = encode_request(77, Some(&client), version, &request).expect("encodable");
        let frame = joined(&pieces).slice(4..);
        let parsed = RequestFrame::parse(&frame).expect("a valid frame");

        assert_eq!((parsed.key, parsed.header.correlation_id), (ApiKey::Metadata, 77));
        assert_eq!(parsed.header.client_id.as_ref(), Some(&client));
        let body = RequestBody::decode(parsed.key, version, &parsed.body);
        assert_eq!(body, Ok(RequestBody::Metadata(request.clone())));
    }

    let response = fetch_response(vec![partition(0, Bytes::from_static(b"x"))]);
    let pieces = ResponseBody::from(response.clone()).encode(78, 16).expect("encodable");
    assert_eq!(decode_response(16, &joined(&pieces).slice(4..)), Ok((78, response)));
}

#[test]
fn an_api_versions_request_of_the_future_can_be_answered_in_version_0() {
    let frame = Bytes::from_static(&[0, 18, 0, 99, 0, 0, 0, 5, 0xff, 0xff, 0, 1, 2, 3]);

    let parsed = RequestFrame::parse(&frame);

    assert_eq!(parsed, Err(DecodeError::UnsupportedVersion { api_key: 18, version: 99 }));
    let prefix = RequestPrefix::peek(&frame);
    assert_eq!(prefix, Ok(RequestPrefix { api_key: 18, api_version: 99, correlation_id: 5 }));
    let refusal =
        ApiVersionsResponse { error_code: ErrorCode::UNSUPPORTED_VERSION, ..ApiVersionsResponse::default() };
    let pieces = encode_response(5, 0, &refusal).expect("encodable");
    assert_eq!(&joined(&pieces)[..], [0, 0, 0, 10, 0, 0, 0, 5, 0, 35, 0, 0, 0, 0]);
}

#[test]
fn the_header_of_an_api_versions_response_has_no_tagged_fields_in_any_version() {
    let pieces = encode_response(5, 3, &ApiVersionsResponse::default()).expect("encodable");

    // Size, correlation id, error, empty compact array, throttle time, no tagged fields.
    assert_eq!(&joined(&pieces)[..], [0, 0, 0, 12, 0, 0, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0]);
}

#[test]
fn a_hole_inside_a_tagged_field_stays_where_it_was_written() {
    let mut encoder = Encoder::new(0, true);
    let hole = Hole { length: 300, token: 1 };

    let written = encoder.tagged(7, |encoder| {
        encoder.records(&hole.into())?;
        encoder.put(&[9]);
        Ok(())
    });

    assert_eq!(written, Ok(()));
    let head = Piece::Bytes(Bytes::from_static(&[7, 0xaf, 0x02, 0xad, 0x02]));
    assert_eq!(encoder.into_pieces(), [head, Piece::Hole(hole), Piece::Bytes(Bytes::from_static(&[9]))]);
}

#[test]
fn short_frames_and_unknown_keys_are_refused() {
    for length in 0..RequestPrefix::LENGTH {
        let refusal = DecodeError::ShortFrame { length };
        assert_eq!(RequestFrame::parse(&Bytes::from(vec![0; length])), Err(refusal));
    }
    let unknown = Bytes::from_static(&[0x75, 0x30, 0, 0, 0, 0, 0, 9]);
    assert_eq!(RequestFrame::parse(&unknown), Err(DecodeError::UnknownApiKey { api_key: 30_000 }));
    assert_eq!(RequestPrefix::peek(&unknown).map(|prefix| prefix.correlation_id), Ok(9));
}

#[test]
fn a_request_that_librdkafka_makes_three_bytes_too_long_is_read() {
    let all_topics = Bytes::from_static(&[0, 0, 0, 0, 1, 1, 0]);

    let read = RequestBody::decode(ApiKey::Metadata, 13, &all_topics);

    let request =
        MetadataRequest { topics: None, allow_auto_topic_creation: false, ..MetadataRequest::default() };
    assert_eq!(read, Ok(RequestBody::Metadata(request)));
}

#[test]
fn versions_below_the_floor_are_refused_in_both_directions() {
    let refusal = DecodeError::UnsupportedVersion { api_key: 0, version: 2 };
    assert_eq!(ProduceRequest::decode_body(2, &Bytes::new()), Err(refusal));
    let refusal = EncodeError::UnsupportedVersion { api_key: 0, version: 14 };
    assert_eq!(ProduceRequest::default().encode_body(14), Err(refusal));
}

#[test]
fn a_field_that_the_version_lacks_is_dropped_if_ignorable_and_refused_otherwise() {
    let mut unknown_replica = partition(0, Bytes::new());
    unknown_replica.current_leader = LeaderIdAndEpoch::default();
    unknown_replica.log_start_offset = 5;
    let ignorable = fetch_response(vec![unknown_replica.clone()]);
    assert!(ignorable.encode_body(4).is_ok());

    unknown_replica.preferred_read_replica = 1;
    let refusal = EncodeError::FieldNotInVersion { field: "preferred_read_replica", version: 10 };
    assert_eq!(fetch_response(vec![unknown_replica]).encode_body(10), Err(refusal));
}

#[test]
fn null_where_the_version_has_none_is_refused() {
    let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
    assert_eq!(all.encode_body(0), Err(EncodeError::UnexpectedNull { field: "topics", version: 0 }));

    let null_name = MetadataRequestTopic { name: None, ..MetadataRequestTopic::default() };
    let one = MetadataRequest { topics: Some(vec![null_name]), ..MetadataRequest::default() };
    assert_eq!(one.encode_body(9), Err(EncodeError::UnexpectedNull { field: "name", version: 9 }));
    assert!(one.encode_body(12).is_ok());
}

#[test]
fn text_beyond_kafkas_limit_is_refused() {
    let request = ApiVersionsRequest {
        client_software_name: Text::from("x".repeat(32_768)),
        ..ApiVersionsRequest::default()
    };

    let refusal = EncodeError::TooLong { field: "client_software_name", length: 32_768 };
    assert_eq!(request.encode_body(3), Err(refusal));
}

#[test]
fn unknown_tagged_fields_are_passed_over() {
    // Name "a", version "b", then two tagged fields that no version has: 5 with two bytes, 300 with none.
    let body = Bytes::from_static(&[2, b'a', 2, b'b', 2, 5, 2, 0xff, 0xff, 0xac, 0x02, 0]);

    let read = ApiVersionsRequest::decode_body(3, &body).expect("a valid body");

    assert_eq!((read.client_software_name.as_str(), read.client_software_version.as_str()), ("a", "b"));
}

#[test]
fn a_tagged_field_that_does_not_fill_its_size_is_refused() {
    // FetchRequest 12: the cluster id "a" (2 bytes) in a tagged field of 3.
    let mut body = vec![0; 21];
    body.extend([0xff, 0xff, 0xff, 0xff, 1, 1, 1]);
    body.extend([1, 0, 3, 2, b'a', 0]);

    let read = RequestBody::decode(ApiKey::Fetch, 12, &Bytes::from(body));

    assert_eq!(read, Err(DecodeError::TaggedSize { tag: 0 }));
}
