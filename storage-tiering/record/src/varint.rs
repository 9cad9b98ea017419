//! Zig-zag variable-length integers, as records use them.

/// Takes one number off the front of `bytes`; `None` if it is cut off or longer than ten bytes.
pub(crate) fn take_long(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    None
}

/// Takes one number that fits 32 bits off the front of `bytes`.
pub(crate) fn take_int(bytes: &mut &[u8]) -> Option<i32> {
    i32::try_from(take_long(bytes)?).ok()
}

pub(crate) fn put_long(bytes: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

/// How many bytes `put_long` writes.
pub(crate) fn long_bytes(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)).cast_unsigned();
    (64 - (zigzag | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_round_trip(value: i64) {
            let mut bytes = Vec::new();
            put_long(&mut bytes, value);

            prop_assert_eq!(bytes.len(), long_bytes(value));
            let mut rest = bytes.as_slice();
            prop_assert_eq!(take_long(&mut rest), Some(value));
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn what_never_ends_is_refused() {
        assert_eq!(take_long(&mut [0xff; 11].as_slice()), None);
        assert_eq!(take_long(&mut [0x80].as_slice()), None);
        assert_eq!(take_int(&mut [0xff, 0xff, 0xff, 0xff, 0xff, 1].as_slice()), None);
    }
}
