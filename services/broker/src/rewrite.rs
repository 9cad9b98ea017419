//! Where records are decoded on entry: topics that compact need keys, topics with a codec of their own recompress.

use aquifer_metadata::{Compression, TopicConfig};
use aquifer_record::{BatchBuilder, CheckedBatch, Encoding, Limits, check, decode};
use aquifer_wire::ErrorCode;
use bytes::Bytes;

/// A batch may unpack to this much, or to so many times its own size, and no more.
const UNPACKED_BYTES_MAX: usize = 64 << 20;
const UNPACKED_TIMES_MAX: usize = 32;

/// A batch whose records cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RewriteRefusal {
    #[error("record {0} has no key, which a compacted topic needs")]
    NoKey(i32),
    #[error("records cannot be read: {0}")]
    Unreadable(String),
    #[error("records cannot be packed again: {0}")]
    Unwritable(String),
}

impl RewriteRefusal {
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            RewriteRefusal::NoKey(_) => ErrorCode::INVALID_RECORD,
            RewriteRefusal::Unreadable(_) | RewriteRefusal::Unwritable(_) => ErrorCode::CORRUPT_MESSAGE,
        }
    }
}

/// What a topic wants of a batch that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rewriting {
    needs_keys: bool,
    /// The codec that the batch has not, and must have.
    repacked: Option<Encoding>,
    packed: bool,
}

impl Rewriting {
    /// Most topics store a batch as it came and never look inside.
    pub(crate) fn of(batch: &CheckedBatch, config: &TopicConfig) -> Option<Rewriting> {
        let current = batch.header().attributes.compression();
        let repacked = encoding(config.compression).filter(|wanted| Some(wanted.compression) != current);
        let needs_keys = config.cleanup.compact;
        let packed = current != Some(aquifer_record::Compression::None);
        (needs_keys || repacked.is_some()).then_some(Rewriting { needs_keys, repacked, packed })
    }

    /// Whether it takes the processor for long: a small packed batch may hold a lot.
    pub(crate) fn is_long(&self) -> bool {
        self.packed || self.repacked.is_some()
    }
}

/// The batch as the topic stores it.
pub(crate) fn rewrite(batch: CheckedBatch, wanted: Rewriting) -> Result<CheckedBatch, RewriteRefusal> {
    let body = batch.body();
    let mut unpacked = Vec::new();
    let max = UNPACKED_BYTES_MAX.max(body.len().saturating_mul(UNPACKED_TIMES_MAX));
    let records = decode(batch.header(), &body, max, &mut unpacked)
        .map_err(|error| RewriteRefusal::Unreadable(error.to_string()))?;
    let mut builder = wanted.repacked.map(|encoding| BatchBuilder::rewrite(batch.header(), encoding));
    for (number, record) in (0..).zip(records) {
        let record = record.map_err(|error| RewriteRefusal::Unreadable(error.to_string()))?;
        if wanted.needs_keys && record.key.is_none() {
            return Err(RewriteRefusal::NoKey(number));
        }
        if let Some(builder) = &mut builder {
            builder.keep(&record).map_err(|error| RewriteRefusal::Unwritable(error.to_string()))?;
        }
    }
    let Some(builder) = builder else { return Ok(batch) };
    let bytes = builder.build().map_err(|error| RewriteRefusal::Unwritable(error.to_string()))?;
    let limits = Limits { batch_bytes_max: usize::MAX, ..Limits::default() };
    check(Bytes::from(bytes), &limits).map_err(|error| RewriteRefusal::Unwritable(error.to_string()))
}

/// The codec a topic insists on, if it does.
fn encoding(compression: Compression) -> Option<Encoding> {
    use aquifer_record::Compression as Codec;
    let (compression, level) = match compression {
        Compression::Producer => return None,
        Compression::Uncompressed => (Codec::None, None),
        Compression::Gzip(level) => (Codec::Gzip, level),
        Compression::Snappy => (Codec::Snappy, None),
        Compression::Lz4(level) => (Codec::Lz4, Some(level)),
        Compression::Zstd(level) => (Codec::Zstd, Some(level)),
    };
    Some(Encoding { compression, level })
}
