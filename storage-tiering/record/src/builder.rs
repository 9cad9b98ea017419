//! `BatchBuilder`: makes a batch out of records, or another out of what compaction kept of one.

use aquifer_types::{BatchEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};

use crate::attributes::{Attributes, Compression, TimestampType};
use crate::codec::{CodecError, Encoding, compress};
use crate::header::{BEFORE_LENGTH, BatchHeader, CRC_FROM, HEADER_BYTES};
use crate::records::{Header, Record};
use crate::varint::{long_bytes, put_long};

/// A record to be written. The default has neither key nor value nor timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewRecord<'a> {
    pub timestamp: TimestampMs,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [Header<'a>],
}

/// Collects records and packs them into one batch.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    encoding: Encoding,
    /// Offsets, epochs and the last offset delta are those of an existing batch.
    rewrites: bool,
    records: Vec<u8>,
}

/// What a record holds before its headers.
struct Fields<'a> {
    delta: i32,
    timestamp: TimestampMs,
    attributes: i8,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

/// The records do not make a batch.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("a batch without records can only be made from an existing one")]
    Empty,
    #[error("batch would grow beyond 2 GiB")]
    TooLarge,
    #[error("record's offset {0} is not in the batch that is rewritten, or out of order")]
    Offset(Offset),
    #[error("record's timestamp {0} is too far from the batch's first")]
    Timestamp(TimestampMs),
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl Default for NewRecord<'_> {
    fn default() -> Self {
        NewRecord { timestamp: TimestampMs::NONE, key: None, value: None, headers: &[] }
    }
}

impl BatchBuilder {
    /// A batch for records that have no offsets yet.
    #[must_use]
    pub fn new(encoding: Encoding) -> BatchBuilder {
        let header = BatchHeader {
            base_offset: Offset::ZERO,
            length: 0,
            epoch: BatchEpoch(-1),
            crc: 0,
            attributes: Attributes::default().with_compression(encoding.compression),
            last_offset_delta: -1,
            base_timestamp: TimestampMs::NONE,
            max_timestamp: TimestampMs::NONE,
            producer_id: ProducerId(-1),
            producer_epoch: ProducerEpoch(-1),
            base_sequence: -1,
            count: 0,
        };
        BatchBuilder { header, encoding, rewrites: false, records: Vec::new() }
    }

    /// A batch that takes the place of `original` with some of its records: offsets, epochs, times and producer stay.
    #[must_use]
    pub fn rewrite(original: &BatchHeader, encoding: Encoding) -> BatchBuilder {
        let attributes = original.attributes.with_compression(encoding.compression);
        let header = BatchHeader { attributes, count: 0, ..*original };
        BatchBuilder { header, encoding, rewrites: true, records: Vec::new() }
    }

    pub fn base_offset(&mut self, base: Offset) -> &mut BatchBuilder {
        self.header.base_offset = base;
        self
    }

    pub fn epoch(&mut self, epoch: BatchEpoch) -> &mut BatchBuilder {
        self.header.epoch = epoch;
        self
    }

    pub fn producer(&mut self, id: ProducerId, epoch: ProducerEpoch, sequence: i32) -> &mut BatchBuilder {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = sequence;
        self
    }

    /// Sets flags; the codec stays the builder's.
    pub fn attributes(&mut self, attributes: Attributes) -> &mut BatchBuilder {
        self.header.attributes = attributes.with_compression(self.encoding.compression);
        self
    }

    /// Makes `horizon` the time at which the batch's tombstones may go. Before the first record.
    pub fn delete_horizon(&mut self, horizon: TimestampMs) -> &mut BatchBuilder {
        self.header.attributes = self.header.attributes.with_delete_horizon();
        self.header.base_timestamp = horizon;
        self
    }

    /// Adds a record at the next offset.
    pub fn push(&mut self, record: &NewRecord<'_>) -> Result<(), BuildError> {
        let delta = self.header.last_offset_delta.checked_add(1).ok_or(BuildError::TooLarge)?;
        if self.header.count == 0 && !self.header.attributes.has_delete_horizon() {
            self.header.base_timestamp = record.timestamp;
        }
        let headers = record.headers.iter().copied();
        let (key, value) = (record.key, record.value);
        self.put(Fields { delta, timestamp: record.timestamp, attributes: 0, key, value }, headers)?;
        self.header.last_offset_delta = delta;
        self.header.max_timestamp = self.header.max_timestamp.max(record.timestamp);
        Ok(())
    }

    /// Adds a record of the batch that is rewritten, at the offset it has.
    pub fn keep(&mut self, record: &Record<'_>) -> Result<(), BuildError> {
        let delta = i32::try_from(record.offset.since(self.header.base_offset))
            .ok()
            .filter(|delta| (0..=self.header.last_offset_delta).contains(delta))
            .ok_or(BuildError::Offset(record.offset))?;
        if self.header.attributes.timestamp_type() == TimestampType::CreateTime {
            let kept = if self.header.count == 0 { record.timestamp } else { self.header.max_timestamp };
            self.header.max_timestamp = kept.max(record.timestamp);
        }
        let Record { attributes, timestamp, key, value, headers, .. } = *record;
        self.put(Fields { delta, timestamp, attributes, key, value }, headers)
    }

    #[must_use]
    pub fn count(&self) -> i32 {
        self.header.count
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.header.count == 0
    }

    /// Bytes of the batch were it packed with no codec.
    #[must_use]
    pub fn unpacked_bytes(&self) -> usize {
        HEADER_BYTES + self.records.len()
    }

    /// Packs the batch.
    pub fn build(&self) -> Result<Vec<u8>, BuildError> {
        if self.is_empty() && !self.rewrites {
            return Err(BuildError::Empty);
        }
        let mut batch = Vec::with_capacity(HEADER_BYTES + self.records.len());
        batch.resize(HEADER_BYTES, 0);
        let mut header = self.header;
        if self.is_empty() {
            // Nothing to unpack, whatever the codec would write for nothing.
            header.attributes = header.attributes.with_compression(Compression::None);
        } else {
            compress(self.encoding, &self.records, &mut batch)?;
        }
        header.length = i32::try_from(batch.len() - BEFORE_LENGTH).map_err(|_beyond| BuildError::TooLarge)?;
        batch[..HEADER_BYTES].copy_from_slice(&header.encode());
        let crc = crc32c::crc32c(&batch[CRC_FROM..]);
        batch[CRC_FROM - 4..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
        Ok(batch)
    }

    fn put<'a>(
        &mut self,
        Fields { delta, timestamp, attributes, key, value }: Fields<'_>,
        headers: impl Iterator<Item = Header<'a>> + Clone,
    ) -> Result<(), BuildError> {
        let time =
            timestamp.0.checked_sub(self.header.base_timestamp.0).ok_or(BuildError::Timestamp(timestamp))?;
        let (mut names, mut header_count) = (0, 0i64);
        for header in headers.clone() {
            names += sized_bytes(Some(header.key)) + sized_bytes(header.value);
            header_count += 1;
        }
        let fields = 1
            + long_bytes(time)
            + long_bytes(i64::from(delta))
            + sized_bytes(key)
            + sized_bytes(value)
            + long_bytes(header_count);
        let length = fields + names;
        if self.records.len() + length > i32::MAX as usize - HEADER_BYTES - 5 {
            return Err(BuildError::TooLarge);
        }
        put_long(&mut self.records, length as i64);
        self.records.push(attributes.cast_unsigned());
        put_long(&mut self.records, time);
        put_long(&mut self.records, i64::from(delta));
        put_sized(&mut self.records, key);
        put_sized(&mut self.records, value);
        put_long(&mut self.records, header_count);
        for header in headers {
            put_sized(&mut self.records, Some(header.key));
            put_sized(&mut self.records, header.value);
        }
        self.header.count += 1;
        Ok(())
    }
}

fn sized_bytes(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| long_bytes(bytes.len() as i64) + bytes.len())
}

fn put_sized(records: &mut Vec<u8>, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else { return put_long(records, -1) };
    put_long(records, bytes.len() as i64);
    records.extend_from_slice(bytes);
}

#[cfg(test)]
#[path = "builder_test.rs"]
mod tests;
