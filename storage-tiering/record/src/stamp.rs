//! Stamping: the offset and epoch that a leader writes into a batch it accepted.

use aquifer_types::{BatchEpoch, Offset, TimestampMs};

use crate::attributes::Attributes;
use crate::header::{CRC_FROM, HEADER_BYTES};

/// Writes base offset and epoch, which lie outside the CRC.
pub fn stamp(header: &mut [u8; HEADER_BYTES], base: Offset, epoch: BatchEpoch) {
    header[..8].copy_from_slice(&base.0.to_be_bytes());
    header[12..16].copy_from_slice(&epoch.0.to_be_bytes());
}

/// Makes `time` the time of every record: marks the type, writes the maximum and computes the CRC again over header and
/// `body`, the bytes after the header.
pub fn stamp_log_append_time(header: &mut [u8; HEADER_BYTES], body: &[u8], time: TimestampMs) {
    let attributes = Attributes(i16::from_be_bytes([header[21], header[22]])).with_log_append_time();
    header[21..23].copy_from_slice(&attributes.0.to_be_bytes());
    header[35..43].copy_from_slice(&time.0.to_be_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[CRC_FROM..]), body);
    header[17..21].copy_from_slice(&crc.to_be_bytes());
}
