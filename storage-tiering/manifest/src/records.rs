//! Keys and values of a compacted partition as the body of a state object.

use crate::bytes::{Reader, put_list};

/// The bytes of these records, in their order.
#[must_use]
pub fn encode_records(records: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    put_list(&mut out, records, |out, (key, value)| {
        for bytes in [key, value] {
            put_list(out, bytes, |out, byte| out.push(*byte));
        }
    });
    out
}

/// The records that these bytes are; none if they are something else.
#[must_use]
pub fn decode_records(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut reader = Reader(bytes);
    let records = reader.list(8, |reader| Some((reader.bytes()?.to_vec(), reader.bytes()?.to_vec())))?;
    reader.0.is_empty().then_some(records)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_read_back_and_nothing_that_was_cut_does(
            records in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..9), proptest::collection::vec(any::<u8>(), 0..9)), 0..9),
            cut in 1usize..20,
        ) {
            let bytes = encode_records(&records);
            prop_assert_eq!(decode_records(&bytes), Some(records));
            prop_assert_eq!(decode_records(&bytes[..bytes.len().saturating_sub(cut)]), None);
        }
    }
}
