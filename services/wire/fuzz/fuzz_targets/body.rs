//! Any body of any key and version, both directions: what is read must be written and read again as the same.

#![no_main]

use aquifer_wire::{Piece, RequestBody, ResponseBody, SUPPORTED};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fn joined(pieces: &[Piece]) -> Bytes {
    let bytes = pieces.iter().flat_map(|piece| match piece {
        Piece::Bytes(bytes) => bytes.to_vec(),
        Piece::Hole(hole) => vec![0; hole.length as usize],
    });
    bytes.collect()
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (api, version, body) = input;
    let api = SUPPORTED[api as usize % SUPPORTED.len()];
    let version = api.min + i16::from(version) % (api.max - api.min + 1);
    let body = Bytes::copy_from_slice(body);
    if let Ok(request) = RequestBody::decode(api.key, version, &body) {
        let again = joined(&request.encode_body(version).expect("what was read can be written"));
        assert_eq!(RequestBody::decode(api.key, version, &again), Ok(request));
    }
    if let Ok(response) = ResponseBody::decode(api.key, version, &body) {
        let again = joined(&response.encode_body(version).expect("what was read can be written"));
        assert_eq!(ResponseBody::decode(api.key, version, &again), Ok(response));
    }
});
