//! `BatchHeader`: the first 61 bytes of a batch.

use aquifer_types::{BatchEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};

use crate::attributes::Attributes;
use crate::producer::sequence_after;

/// How long a batch's header is.
pub const HEADER_BYTES: usize = 61;
/// The base offset and the length stand before what the length counts.
pub(crate) const BEFORE_LENGTH: usize = 12;
/// The CRC covers everything from the attributes on.
pub(crate) const CRC_FROM: usize = 21;
const MAGIC_AT: usize = 16;
const MAGIC: i8 = 2;

/// A batch's header. One that was parsed has magic 2, a length that holds the header, and ends at an offset that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: Offset,
    /// Bytes after this field.
    pub length: i32,
    pub epoch: BatchEpoch,
    pub crc: u32,
    pub attributes: Attributes,
    pub last_offset_delta: i32,
    pub base_timestamp: TimestampMs,
    pub max_timestamp: TimestampMs,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub base_sequence: i32,
    /// How many records follow; fewer than the offsets spanned once compaction took some.
    pub count: i32,
}

/// The bytes do not start with a batch's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    #[error("batch header is cut off after {held} bytes")]
    ShortHeader { held: usize },
    #[error("batch of {wanted} bytes is cut off after {held}")]
    ShortBatch { held: usize, wanted: usize },
    #[error("magic is {0}, not 2")]
    Magic(i8),
    #[error("batch length {0} does not hold a header")]
    Length(i32),
    #[error("last offset delta is {0}")]
    LastOffsetDelta(i32),
    #[error("record count is {0}")]
    Count(i32),
    #[error("base offset {0} leaves no room for the batch's offsets")]
    BaseOffset(i64),
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`; the records need not be there.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        // Older formats are shorter than this header, so the magic comes first.
        let magic = bytes.get(MAGIC_AT).ok_or(BatchError::ShortHeader { held: bytes.len() })?.cast_signed();
        if magic != MAGIC {
            return Err(BatchError::Magic(magic));
        }
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(BatchError::ShortHeader { held: bytes.len() });
        };
        let header = BatchHeader::read(header);
        header.plausible()?;
        Ok(header)
    }

    /// Bytes of the whole batch, the header included.
    #[must_use]
    pub fn total_bytes(&self) -> usize {
        BEFORE_LENGTH + usize::try_from(self.length).unwrap_or(0)
    }

    /// The offset after the batch's last one.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.end_at(self.base_offset)
    }

    /// The offset after the batch's last one, were it to start at `base`.
    #[must_use]
    pub fn end_at(&self, base: Offset) -> Offset {
        base.plus(self.span())
    }

    /// How many offsets the batch takes.
    #[must_use]
    pub fn span(&self) -> i64 {
        i64::from(self.last_offset_delta) + 1
    }

    /// Whether a producer with an id wrote it; Kafka reads every negative id as none.
    #[must_use]
    pub fn has_producer(&self) -> bool {
        self.producer_id.0 >= 0
    }

    /// The last record's sequence number; wraps after 2^31 - 1.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        sequence_after(self.base_sequence, self.last_offset_delta)
    }

    /// The header's 61 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&self.base_offset.0.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.epoch.0.to_be_bytes());
        bytes[MAGIC_AT] = MAGIC.cast_unsigned();
        bytes[17..21].copy_from_slice(&self.crc.to_be_bytes());
        bytes[21..23].copy_from_slice(&self.attributes.0.to_be_bytes());
        bytes[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        bytes[27..35].copy_from_slice(&self.base_timestamp.0.to_be_bytes());
        bytes[35..43].copy_from_slice(&self.max_timestamp.0.to_be_bytes());
        bytes[43..51].copy_from_slice(&self.producer_id.0.to_be_bytes());
        bytes[51..53].copy_from_slice(&self.producer_epoch.0.to_be_bytes());
        bytes[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        bytes[57..61].copy_from_slice(&self.count.to_be_bytes());
        bytes
    }

    fn read(bytes: &[u8; HEADER_BYTES]) -> BatchHeader {
        BatchHeader {
            base_offset: Offset(i64::from_be_bytes(field(bytes, 0))),
            length: i32::from_be_bytes(field(bytes, 8)),
            epoch: BatchEpoch(i32::from_be_bytes(field(bytes, 12))),
            crc: u32::from_be_bytes(field(bytes, 17)),
            attributes: Attributes(i16::from_be_bytes(field(bytes, 21))),
            last_offset_delta: i32::from_be_bytes(field(bytes, 23)),
            base_timestamp: TimestampMs(i64::from_be_bytes(field(bytes, 27))),
            max_timestamp: TimestampMs(i64::from_be_bytes(field(bytes, 35))),
            producer_id: ProducerId(i64::from_be_bytes(field(bytes, 43))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(field(bytes, 51))),
            base_sequence: i32::from_be_bytes(field(bytes, 53)),
            count: i32::from_be_bytes(field(bytes, 57)),
        }
    }

    fn plausible(&self) -> Result<(), BatchError> {
        if usize::try_from(self.length).is_ok_and(|length| length >= HEADER_BYTES - BEFORE_LENGTH) {
            if self.last_offset_delta < 0 {
                return Err(BatchError::LastOffsetDelta(self.last_offset_delta));
            }
            if self.count < 0 {
                return Err(BatchError::Count(self.count));
            }
            if self.base_offset.0.checked_add(self.span()).is_none() {
                return Err(BatchError::BaseOffset(self.base_offset.0));
            }
            return Ok(());
        }
        Err(BatchError::Length(self.length))
    }
}

/// The `N` bytes at `at`, which every caller names within the header.
fn field<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BatchHeader {
        BatchHeader {
            base_offset: Offset(70),
            length: 100,
            epoch: BatchEpoch(3),
            crc: 0xdead_beef,
            attributes: Attributes(4),
            last_offset_delta: 9,
            base_timestamp: TimestampMs(1_000),
            max_timestamp: TimestampMs(2_000),
            producer_id: ProducerId(5),
            producer_epoch: ProducerEpoch(6),
            base_sequence: i32::MAX - 4,
            count: 10,
        }
    }

    #[test]
    fn a_header_reads_back_as_written() {
        let parsed = BatchHeader::parse(&header().encode()).expect("parses");

        assert_eq!(parsed, header());
        assert_eq!(parsed.total_bytes(), 112);
        assert_eq!(parsed.end(), Offset(80));
        assert_eq!(parsed.end_at(Offset(0)), Offset(10));
        assert_eq!(parsed.last_sequence(), 4);
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let bytes = header().encode();
        assert_eq!(BatchHeader::parse(&bytes[..16]), Err(BatchError::ShortHeader { held: 16 }));
        assert_eq!(BatchHeader::parse(&bytes[..60]), Err(BatchError::ShortHeader { held: 60 }));
        for (header, error) in [
            (BatchHeader { length: 48, ..header() }, BatchError::Length(48)),
            (BatchHeader { length: -1, ..header() }, BatchError::Length(-1)),
            (BatchHeader { last_offset_delta: -1, ..header() }, BatchError::LastOffsetDelta(-1)),
            (BatchHeader { count: -1, ..header() }, BatchError::Count(-1)),
            (BatchHeader { base_offset: Offset(i64::MAX), ..header() }, BatchError::BaseOffset(i64::MAX)),
        ] {
            assert_eq!(BatchHeader::parse(&header.encode()), Err(error));
        }
    }

    #[test]
    fn an_old_message_is_known_by_its_magic_even_if_it_is_shorter_than_a_header() {
        let mut message = [0; 34];
        message[MAGIC_AT] = 1;

        assert_eq!(BatchHeader::parse(&message), Err(BatchError::Magic(1)));
    }
}
