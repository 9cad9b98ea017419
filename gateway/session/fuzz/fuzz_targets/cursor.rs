//! Whatever a client sends as a cursor is read without a panic, and what is read is written as it came.

#![no_main]

use aquifer_session::Cursor;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _refused = Cursor::parse(text);
    }
    // A fuzzer never finds a checksum, so it is made to fit.
    let checksum = crc32c::crc32c(bytes).to_be_bytes();
    let text = URL_SAFE_NO_PAD.encode([bytes, &checksum].concat());
    if let Ok(cursor) = Cursor::parse(&text) {
        assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
    }
});
