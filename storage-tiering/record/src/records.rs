//! Records inside a batch, read without copies and without trust in what the header says of them.

use aquifer_types::{Offset, TimestampMs};

use crate::attributes::{Compression, TimestampType};
use crate::codec::{CodecError, decompress};
use crate::header::BatchHeader;
use crate::varint::{take_int, take_long};

/// One record, borrowed from its unpacked batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub attributes: i8,
    pub timestamp: TimestampMs,
    pub offset: Offset,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Headers<'a>,
}

/// One header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

/// A record's headers, in their order; names may repeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    /// Walked once when the record was read, so that every one of `count` is there.
    bytes: &'a [u8],
    count: i32,
}

/// Walks the records of one batch; stops at the first that contradicts the header or itself.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    header: BatchHeader,
    timestamp_type: TimestampType,
    bytes: &'a [u8],
    left: i32,
    next_delta: i32,
    failed: bool,
}

/// The records of a batch are not what its header says, or no records at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("{missing} of the batch's records are missing")]
    Missing { missing: i32 },
    #[error("{0} bytes follow the batch's last record")]
    Trailing(usize),
    #[error("record is cut off")]
    Short,
    #[error("record has a length of {0}")]
    Length(i32),
    #[error("record's offset delta {0} is out of order or outside the batch")]
    OffsetDelta(i32),
    #[error("record's timestamp delta {0} leaves the range of timestamps")]
    TimestampDelta(i64),
    #[error("record has {0} headers")]
    HeaderCount(i32),
    #[error("header has no name")]
    HeaderWithoutName,
}

/// The records of the batch whose packed records are `body`, unpacked into `scratch` if need be, to at most `max` bytes.
pub fn decode<'a>(
    header: &BatchHeader,
    body: &'a [u8],
    max: usize,
    scratch: &'a mut Vec<u8>,
) -> Result<Records<'a>, CodecError> {
    let attributes = header.attributes;
    let compression = attributes
        .compression()
        .ok_or_else(|| CodecError::UnknownCompression(attributes.compression_number()))?;
    // A batch that compaction emptied has no packed bytes either.
    if compression == Compression::None || body.is_empty() {
        return Ok(Records::new(header, body));
    }
    decompress(compression, body, max, scratch)?;
    Ok(Records::new(header, scratch))
}

impl<'a> Records<'a> {
    /// The records in `bytes`, which are unpacked.
    #[must_use]
    pub fn new(header: &BatchHeader, bytes: &'a [u8]) -> Records<'a> {
        Records {
            header: *header,
            timestamp_type: header.attributes.timestamp_type(),
            bytes,
            left: header.count,
            next_delta: 0,
            failed: false,
        }
    }

    fn read(&mut self) -> Result<Record<'a>, RecordError> {
        if self.bytes.is_empty() {
            return Err(RecordError::Missing { missing: self.left });
        }
        let mut rest = self.bytes;
        let mut bytes = take_sized(&mut rest)?.ok_or(RecordError::Length(-1))?;
        let record = self.read_fields(&mut bytes)?;
        if !bytes.is_empty() {
            return Err(RecordError::Trailing(bytes.len()));
        }
        self.bytes = rest;
        self.left -= 1;
        Ok(record)
    }

    fn read_fields(&mut self, bytes: &mut &'a [u8]) -> Result<Record<'a>, RecordError> {
        let (&attributes, rest) = bytes.split_first().ok_or(RecordError::Short)?;
        *bytes = rest;
        let timestamp_delta = take_long(bytes).ok_or(RecordError::Short)?;
        let created = self
            .header
            .base_timestamp
            .0
            .checked_add(timestamp_delta)
            .ok_or(RecordError::TimestampDelta(timestamp_delta))?;
        let delta = take_int(bytes).ok_or(RecordError::Short)?;
        if !(self.next_delta..=self.header.last_offset_delta).contains(&delta) {
            return Err(RecordError::OffsetDelta(delta));
        }
        let key = take_sized(bytes)?;
        let value = take_sized(bytes)?;
        let headers = Headers::take(bytes)?;
        self.next_delta = delta.saturating_add(1);
        Ok(Record {
            attributes: attributes.cast_signed(),
            timestamp: self.timestamp_type.of_record(TimestampMs(created), self.header.max_timestamp),
            offset: self.header.base_offset.plus(i64::from(delta)),
            key,
            value,
            headers,
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if self.left == 0 {
            if self.bytes.is_empty() {
                return None;
            }
            self.failed = true;
            return Some(Err(RecordError::Trailing(self.bytes.len())));
        }
        let record = self.read();
        self.failed = record.is_err();
        Some(record)
    }
}

impl std::iter::FusedIterator for Records<'_> {}

impl<'a> Headers<'a> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.count).unwrap_or(0)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn take(bytes: &mut &'a [u8]) -> Result<Headers<'a>, RecordError> {
        let count = take_int(bytes).ok_or(RecordError::Short)?;
        if count < 0 {
            return Err(RecordError::HeaderCount(count));
        }
        let start = *bytes;
        for _ in 0..count {
            take_header(bytes)?;
        }
        Ok(Headers { bytes: &start[..start.len() - bytes.len()], count })
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        if self.bytes.is_empty() {
            return None;
        }
        self.count -= 1;
        take_header(&mut self.bytes).ok()
    }
}

fn take_header<'a>(bytes: &mut &'a [u8]) -> Result<Header<'a>, RecordError> {
    let key = take_sized(bytes)?.ok_or(RecordError::HeaderWithoutName)?;
    Ok(Header { key, value: take_sized(bytes)? })
}

/// A length and as many bytes; -1 stands for null.
fn take_sized<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RecordError> {
    let length = take_int(bytes).ok_or(RecordError::Short)?;
    if length == -1 {
        return Ok(None);
    }
    let wanted = usize::try_from(length).map_err(|_negative| RecordError::Length(length))?;
    let (taken, rest) = bytes.split_at_checked(wanted).ok_or(RecordError::Short)?;
    *bytes = rest;
    Ok(Some(taken))
}

#[cfg(test)]
#[path = "records_test.rs"]
mod tests;
