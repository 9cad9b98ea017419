//! A frame as a broker gets it: no bytes may make parsing or decoding panic.

#![no_main]

use aquifer_wire::{RequestBody, RequestFrame, RequestPrefix};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = RequestPrefix::peek(bytes);
    if let Ok(frame) = RequestFrame::parse(&Bytes::copy_from_slice(bytes)) {
        let _ = RequestBody::decode(frame.key, frame.header.api_version, &frame.body);
    }
});
