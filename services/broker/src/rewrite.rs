//! Where records are decoded on entry: topics that compact need keys, topics with a codec of their own recompress.

use aquifer_metadata::{Compression, TopicConfig};
use aquifer_record::{BatchBuilder, CheckedBatch, Encoding, Limits, check, decode};
use aquifer_wire::ErrorCode;
use bytes::Bytes;

/// A batch may unpack to this much and no more.
const UNPACKED_BYTES_MAX: usize = 256 << 20;

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

/// The batch as the topic stores it: most topics store it as it came and never look inside.
pub(crate) fn rewrite(batch: CheckedBatch, config: &TopicConfig) -> Result<CheckedBatch, RewriteRefusal> {
    let wanted = encoding(config.compression);
    let current = batch.header().attributes.compression();
    let repacks = wanted.is_some_and(|wanted| Some(wanted.compression) != current);
    if !config.cleanup.compact && !repacks {
        return Ok(batch);
    }
    let body = batch.body();
    let mut unpacked = Vec::new();
    let records = decode(batch.header(), &body, UNPACKED_BYTES_MAX, &mut unpacked)
        .map_err(|error| RewriteRefusal::Unreadable(error.to_string()))?;
    let mut builder =
        wanted.filter(|_| repacks).map(|encoding| BatchBuilder::rewrite(batch.header(), encoding));
    for (number, record) in (0..).zip(records) {
        let record = record.map_err(|error| RewriteRefusal::Unreadable(error.to_string()))?;
        if config.cleanup.compact && record.key.is_none() {
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
