//! Every codec unpacks any bytes to at most the bound, or refuses them.

#![no_main]

use aquifer_record::{Compression, decompress};
use libfuzzer_sys::fuzz_target;

const UNPACKED_MAX: usize = 1 << 20;

fuzz_target!(|input: &[u8]| {
    let Some((codec, packed)) = input.split_first() else { return };
    let compression = Compression::ALL[usize::from(*codec) % Compression::ALL.len()];
    let mut output = Vec::new();
    let unpacked = decompress(compression, packed, UNPACKED_MAX, &mut output);
    assert!(output.len() <= UNPACKED_MAX);
    assert!(unpacked.is_ok() || output.is_empty());
});
