//! `Stamp`: what a verified record says of itself.

const MAGIC: &[u8; 4] = b"aqlt";
const STAMP_BYTES: usize = 32;

/// Who wrote a record, as which of its own, in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Drawn anew for each producer, so that none is mistaken for one of an earlier run.
    pub producer: u64,
    pub partition: i32,
    /// Counts the producer's records in that partition.
    pub sequence: u64,
}

impl Stamp {
    /// The smallest record that holds one.
    pub const RECORD_BYTES_MIN: usize = STAMP_BYTES;

    /// Fills a record: magic, checksum of the rest, the stamp, and bytes that follow from it.
    pub fn write(&self, record: &mut [u8]) {
        let (head, body) = record.split_at_mut(8);
        body[..8].copy_from_slice(&self.producer.to_be_bytes());
        body[8..12].copy_from_slice(&self.partition.to_be_bytes());
        body[12..20].copy_from_slice(&self.sequence.to_be_bytes());
        for (index, byte) in body[20..].iter_mut().enumerate() {
            *byte = self.sequence.wrapping_mul(31).wrapping_add(index as u64) as u8;
        }
        head[..4].copy_from_slice(MAGIC);
        head[4..].copy_from_slice(&crc32c::crc32c(body).to_be_bytes());
    }

    /// The stamp, if the record is whole and one of ours.
    pub fn read(record: &[u8]) -> Option<Stamp> {
        if record.len() < STAMP_BYTES || &record[..4] != MAGIC {
            return None;
        }
        let body = &record[8..];
        if crc32c::crc32c(body).to_be_bytes() != record[4..8] {
            return None;
        }
        Some(Stamp {
            producer: u64::from_be_bytes(body[..8].try_into().ok()?),
            partition: i32::from_be_bytes(body[8..12].try_into().ok()?),
            sequence: u64::from_be_bytes(body[12..20].try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_reads_back_and_any_flipped_bit_shows() {
        let stamp = Stamp { producer: 0x0102_0304_0506_0708, partition: 9, sequence: u64::MAX - 1 };
        let mut record = vec![0; 100];
        stamp.write(&mut record);

        assert_eq!(Stamp::read(&record), Some(stamp));
        for bit in 0..record.len() * 8 {
            record[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Stamp::read(&record), None, "bit {bit}");
            record[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(Stamp::read(&record[..STAMP_BYTES - 1]), None);
    }
}
