//! Whatever a client sends as a token of any kind is refused without a panic: without the key nobody makes one.

#![no_main]

use aquifer_session::{Instance, Keys, ProducerSession, Session, cluster_named};
use aquifer_types::TimestampMs;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fuzz_target!(|bytes: &[u8]| {
    let keys = Keys::from_secrets([SECRET]).expect("a secret");
    let cluster = cluster_named("fuzzed");
    let coded = URL_SAFE_NO_PAD.encode(bytes);
    for text in [std::str::from_utf8(bytes).unwrap_or_default(), &coded] {
        assert!(Session::open(&keys, text, cluster, "User:a", TimestampMs(0)).is_err());
        assert!(ProducerSession::open(&keys, text, cluster, "User:a").is_err());
        assert!(Instance::open(&keys, text, cluster).is_err());
    }
});
