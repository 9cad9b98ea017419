//! Whatever a client sends as a batch is checked and its records read without a panic, within the bound on memory.

#![no_main]

use aquifer_record::{BatchHeader, HEADER_BYTES, Limits, check, decode};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

const UNPACKED_MAX: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    // A fuzzer never finds a checksum, so it is made to fit.
    if bytes.len() >= HEADER_BYTES {
        bytes[16] = 2;
        let length = i32::try_from(bytes.len() - 12).expect("a fuzzer's input is small");
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        let crc = crc(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    if let Ok(checked) = check(Bytes::from(bytes), &Limits::default()) {
        let (header, body): (&BatchHeader, _) = (checked.header(), checked.body());
        let mut scratch = Vec::new();
        if let Ok(records) = decode(header, &body, UNPACKED_MAX, &mut scratch) {
            records.flatten().for_each(|record| assert_eq!(record.headers.count(), record.headers.len()));
        }
        assert!(scratch.len() <= UNPACKED_MAX);
    }
});

/// CRC32C bit by bit: slow, and independent of what is tested.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    })
}
