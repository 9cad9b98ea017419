//! `check`: what a client's batch must be before any of it is believed.

use aquifer_types::{BatchEpoch, Offset, TimestampMs};
use bytes::Bytes;

use crate::attributes::TimestampType;
use crate::header::{BatchError, BatchHeader, HEADER_BYTES};
use crate::stamp::stamp;
use crate::view::BatchView;

/// What a topic allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The whole batch, as it came: `max.message.bytes`.
    pub batch_bytes_max: usize,
    /// The earliest and latest timestamps taken, both allowed; a topic with LogAppendTime takes every one.
    pub earliest: TimestampMs,
    pub latest: TimestampMs,
}

/// A batch that passed: its header, and its bytes as they came.
#[derive(Clone, Debug)]
pub struct CheckedBatch {
    header: BatchHeader,
    bytes: Bytes,
}

/// Why a client's batch is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("no record batch")]
    Empty,
    #[error("record format with magic {0} is no longer supported")]
    OldMagic(i8),
    #[error("unknown magic {0}")]
    UnknownMagic(i8),
    #[error(transparent)]
    Malformed(BatchError),
    #[error("batch of {bytes} bytes is larger than the {max} allowed")]
    TooLarge { bytes: usize, max: usize },
    #[error("{0} bytes follow the batch, where exactly one batch is allowed")]
    SeveralBatches(usize),
    #[error("checksum is {computed:08x}, not {named:08x} as the batch says")]
    Checksum { named: u32, computed: u32 },
    #[error("unknown attributes {0:#06x}")]
    UnknownAttributes(i16),
    #[error("unknown compression {0}")]
    UnknownCompression(u8),
    #[error("record count is {count}, but the last offset delta is {last_offset_delta}")]
    Count { count: i32, last_offset_delta: i32 },
    #[error("clients may not write control batches")]
    Control,
    #[error("clients may not set a delete horizon")]
    DeleteHorizon,
    #[error("clients may not set the log append time")]
    LogAppendTime,
    #[error("timestamp {0} is outside the range the topic takes")]
    Timestamp(TimestampMs),
    #[error("a batch with producer id {producer_id} has epoch {epoch} and sequence {sequence}")]
    Producer { producer_id: i64, epoch: i16, sequence: i32 },
    #[error("a transactional batch has no producer id")]
    TransactionWithoutProducer,
}

impl Default for Limits {
    /// Kafka's default size, and every timestamp.
    fn default() -> Limits {
        Limits { batch_bytes_max: 1_048_588, earliest: TimestampMs(i64::MIN), latest: TimestampMs(i64::MAX) }
    }
}

/// Accepts `bytes` if they are exactly one sound batch by its header. Records are not decoded.
pub fn check(bytes: Bytes, limits: &Limits) -> Result<CheckedBatch, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    let header = BatchHeader::parse(&bytes)?;
    let total = header.total_bytes();
    if total > limits.batch_bytes_max {
        return Err(Refusal::TooLarge { bytes: total, max: limits.batch_bytes_max });
    }
    let view = BatchView::parse(&bytes)?;
    if bytes.len() > total {
        return Err(Refusal::SeveralBatches(bytes.len() - total));
    }
    let computed = view.checksum();
    if computed != header.crc {
        return Err(Refusal::Checksum { named: header.crc, computed });
    }
    check_attributes(&header)?;
    check_timestamps(&header, limits)?;
    check_producer(&header)?;
    Ok(CheckedBatch { header, bytes })
}

impl CheckedBatch {
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch as it came, base offset and epoch not yet ours.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The records as they are packed.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.bytes.slice(HEADER_BYTES..)
    }

    /// The header's bytes with our offset and epoch in them.
    #[must_use]
    pub fn stamped(&self, base: Offset, epoch: BatchEpoch) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header.copy_from_slice(&self.bytes[..HEADER_BYTES]);
        stamp(&mut header, base, epoch);
        header
    }
}

fn check_attributes(header: &BatchHeader) -> Result<(), Refusal> {
    let attributes = header.attributes;
    if attributes.unknown_bits() != 0 {
        return Err(Refusal::UnknownAttributes(attributes.unknown_bits()));
    }
    if attributes.compression().is_none() {
        return Err(Refusal::UnknownCompression(attributes.compression_number()));
    }
    if attributes.is_control() {
        return Err(Refusal::Control);
    }
    if attributes.has_delete_horizon() {
        return Err(Refusal::DeleteHorizon);
    }
    if i64::from(header.count) != header.span() {
        let last_offset_delta = header.last_offset_delta;
        return Err(Refusal::Count { count: header.count, last_offset_delta });
    }
    Ok(())
}

fn check_timestamps(header: &BatchHeader, limits: &Limits) -> Result<(), Refusal> {
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
        return Err(Refusal::LogAppendTime);
    }
    for time in [header.base_timestamp, header.max_timestamp] {
        if time != TimestampMs::NONE && !(limits.earliest..=limits.latest).contains(&time) {
            return Err(Refusal::Timestamp(time));
        }
    }
    Ok(())
}

/// Without a producer id, epoch and sequence mean nothing: some clients leave zeros there, others -1.
fn check_producer(header: &BatchHeader) -> Result<(), Refusal> {
    if header.has_producer() {
        if header.producer_epoch.0 < 0 || header.base_sequence < 0 {
            return Err(Refusal::Producer {
                producer_id: header.producer_id.0,
                epoch: header.producer_epoch.0,
                sequence: header.base_sequence,
            });
        }
    } else if header.attributes.is_transactional() {
        return Err(Refusal::TransactionWithoutProducer);
    }
    Ok(())
}

impl From<BatchError> for Refusal {
    fn from(error: BatchError) -> Refusal {
        match error {
            BatchError::Magic(magic @ 0..=1) => Refusal::OldMagic(magic),
            BatchError::Magic(magic) => Refusal::UnknownMagic(magic),
            other => Refusal::Malformed(other),
        }
    }
}

#[cfg(test)]
#[path = "check_test.rs"]
mod tests;
