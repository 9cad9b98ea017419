//! Batches that are not what they should be.

use aquifer_record::{BatchError, Refusal};
use aquifer_wire::ErrorCode;

/// What Kafka calls a batch that is refused at the door.
pub(crate) fn batch_error(refusal: &Refusal) -> ErrorCode {
    match refusal {
        Refusal::OldMagic(_) => ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT,
        Refusal::TooLarge { .. } => ErrorCode::MESSAGE_TOO_LARGE,
        Refusal::Malformed(BatchError::ShortBatch { .. } | BatchError::ShortHeader { .. })
        | Refusal::Checksum { .. }
        | Refusal::UnknownMagic(_)
        | Refusal::Malformed(_) => ErrorCode::CORRUPT_MESSAGE,
        Refusal::UnknownCompression(_) => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        Refusal::Timestamp(_) | Refusal::LogAppendTime => ErrorCode::INVALID_TIMESTAMP,
        Refusal::Empty
        | Refusal::SeveralBatches(_)
        | Refusal::UnknownAttributes(_)
        | Refusal::Count { .. }
        | Refusal::Control
        | Refusal::DeleteHorizon
        | Refusal::Producer { .. }
        | Refusal::TransactionWithoutProducer => ErrorCode::INVALID_RECORD,
    }
}
