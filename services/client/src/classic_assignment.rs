//! The assignment that a classic group's leader wrote for a consumer: opaque to brokers, read here to be shown.

use std::collections::{BTreeMap, BTreeSet};

/// The partitions by topic in a `ConsumerProtocolAssignment` of any version; nothing if the bytes are something else.
pub(crate) fn assigned_partitions(bytes: &[u8]) -> Option<BTreeMap<String, BTreeSet<i32>>> {
    let mut reader = bytes;
    // Later versions keep the beginning as it is and follow it with user data.
    take::<2>(&mut reader)?;
    let mut topics = BTreeMap::new();
    for _ in 0..count(&mut reader)? {
        let length = usize::try_from(i16::from_be_bytes(take(&mut reader)?)).ok()?;
        let (name, rest) = reader.split_at_checked(length)?;
        reader = rest;
        let mut partitions = BTreeSet::new();
        for _ in 0..count(&mut reader)? {
            partitions.insert(i32::from_be_bytes(take(&mut reader)?));
        }
        topics.insert(String::from_utf8(name.to_vec()).ok()?, partitions);
    }
    Some(topics)
}

fn take<const N: usize>(reader: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = reader.split_first_chunk::<N>()?;
    *reader = rest;
    Some(*taken)
}

/// What claims more entries than there are bytes ends with the first that is missing.
fn count(reader: &mut &[u8]) -> Option<i32> {
    Some(i32::from_be_bytes(take(reader)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_reads_by_topic_and_partition() {
        let mut bytes = vec![0, 1, 0, 0, 0, 1, 0, 2, b'h', b'i', 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1];
        bytes.extend_from_slice(&[0xff, 0xff, 0xff, 0xff]);

        let topics = assigned_partitions(&bytes).expect("reads");

        assert_eq!(topics, BTreeMap::from([("hi".to_owned(), BTreeSet::from([1, 3]))]));
    }

    #[test]
    fn what_is_cut_off_or_claims_too_much_is_no_assignment() {
        let bytes = [0, 1, 0x7f, 0xff, 0xff, 0xff, 0, 2, b'h', b'i'];
        for length in 0..bytes.len() {
            assert_eq!(assigned_partitions(&bytes[..length]), None, "{length} bytes");
        }
    }
}
