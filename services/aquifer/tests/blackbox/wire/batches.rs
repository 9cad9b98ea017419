//! Record batches, sound and otherwise.

use aquifer_record::{BatchBuilder, Encoding, NewRecord};
use aquifer_runtime::Runtime;
use bytes::Bytes;

/// A sound batch of one record.
pub(crate) fn batch(value: &[u8]) -> Bytes {
    batch_of(BatchBuilder::new(Encoding::NONE), &[(Some(b"key"), value)])
}

/// A batch of records with these keys and values.
pub(crate) fn batch_of(mut builder: BatchBuilder, records: &[(Option<&[u8]>, &[u8])]) -> Bytes {
    let timestamp = Runtime::real().now().wall;
    for (key, value) in records {
        let record = NewRecord { timestamp, key: *key, value: Some(value), ..NewRecord::default() };
        builder.push(&record).expect("a small record");
    }
    Bytes::from(builder.build().expect("there are records"))
}

/// Changes a batch and makes its checksum fit again.
pub(crate) fn tampered(batch: &Bytes, tamper: impl FnOnce(&mut [u8])) -> Bytes {
    const CRC_AT: std::ops::Range<usize> = 17..21;
    let mut bytes = batch.to_vec();
    tamper(&mut bytes);
    let crc = crc32c::crc32c(&bytes[CRC_AT.end..]);
    bytes[CRC_AT].copy_from_slice(&crc.to_be_bytes());
    Bytes::from(bytes)
}
