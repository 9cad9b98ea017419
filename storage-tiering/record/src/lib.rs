//! Kafka's record batch, version 2: check, stamp, view, build. Pure.
//!
//! A batch is checked once, where it enters; its base offset and epoch are stamped outside the CRC; after that its bytes
//! are only looked at. Records are decoded only where a topic compacts or rewrites, and every reader of records survives
//! a batch whose records contradict its header, because entry checks the header alone.

#![forbid(unsafe_code)]

mod attributes;
mod builder;
mod check;
mod codec;
mod header;
mod producer;
mod records;
mod stamp;
mod varint;
mod view;

pub use attributes::{Attributes, Compression, TimestampType};
pub use builder::{BatchBuilder, BuildError, NewRecord};
pub use check::{CheckedBatch, Limits, Refusal, check};
pub use codec::{CodecError, Encoding, compress, decompress};
pub use header::{BatchError, BatchHeader, HEADER_BYTES};
pub use producer::{ProducerBatch, ProducerState, RecentBatches, sequence_after};
pub use records::{Header, Headers, Record, RecordError, Records, decode};
pub use stamp::{stamp, stamp_log_append_time};
pub use view::{BatchView, Batches, Ended, batches};
