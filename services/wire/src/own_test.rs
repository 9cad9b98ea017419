//! The bytes of messages that are ours alone, as they were first written: later versions must read them.

use aquifer_types::Uuid;
use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::golden_test::joined;
use crate::message::Message;
use crate::messages::{
    AquiferAppendRequest, AquiferAppendResponse, AquiferFenceRequest, AquiferFenceResponse,
};
use crate::records::Records;
use crate::text::Text;

const ID: &str = "01010101010101010101010101010101";

#[track_caller]
fn stands<M: Message>(message: &M, version: i16, golden: &str) {
    let digits: Vec<char> = golden.chars().filter(|digit| !digit.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).expect("hexadecimal");
    let golden: Bytes = digits.chunks(2).map(byte).collect();
    assert_eq!(joined(&message.encode_body(version).expect("encodes")), golden);
    assert_eq!(&M::decode_body(version, &golden).expect("decodes"), message);
}

#[test]
fn appends_are_written_and_read_as_ever() {
    let request = AquiferAppendRequest {
        topic_id: Uuid::from_bytes([1; 16]),
        partition_index: 2,
        records: Some(Records::Bytes(Bytes::from_static(b"xyz"))),
        ..AquiferAppendRequest::default()
    };
    stands(&request, 0, &format!("00007530 {ID} 00000002 ffffffffffffffff 04 78797a 00"));
    stands(&request, 1, &format!("00007530 {ID} 00000002 ffffffffffffffff 00 04 78797a 00"));
    let under = AquiferAppendRequest { fencing_token: Some(Text::from("a")), ..request };
    stands(&under, 1, &format!("00007530 {ID} 00000002 ffffffffffffffff 0261 04 78797a 00"));
    assert!(under.encode_body(0).is_err(), "a broker that knows no tokens must not be asked to append");

    let none = "ffffffffffffffff";
    let refused = AquiferAppendResponse {
        error_code: ErrorCode::INVALID_REQUEST,
        fencing_token: Some(Text::from("b")),
        ..AquiferAppendResponse::default()
    };
    stands(&refused, 1, &format!("00000000 002a 00 {none} {none} {none} 00 {none} ffff ffffffff 0262 00"));
}

#[test]
fn fences_are_written_and_read_as_ever() {
    let request = AquiferFenceRequest {
        topic_id: Uuid::from_bytes([1; 16]),
        partition_index: 2,
        token: Some(Text::from("b")),
        expected_token: Some(Text::from("")),
    };
    stands(&request, 0, &format!("{ID} 00000002 0262 01 00"));
    let asked = AquiferFenceRequest { token: None, expected_token: None, ..request };
    stands(&asked, 0, &format!("{ID} 00000002 00 00 00"));
    let response = AquiferFenceResponse { token: Some(Text::from("b")), ..AquiferFenceResponse::default() };
    stands(&response, 0, "00000000 0000 00 0262 00");
}
