//! Refused reads.

use aquifer_replica::FetchRefusal;
use aquifer_wire::ErrorCode;

/// What Kafka calls a question that a replica does not answer.
pub(crate) fn fetch_error(refusal: &FetchRefusal) -> ErrorCode {
    match refusal {
        FetchRefusal::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
        FetchRefusal::FencedEpoch => ErrorCode::FENCED_LEADER_EPOCH,
        FetchRefusal::UnknownEpoch => ErrorCode::UNKNOWN_LEADER_EPOCH,
        FetchRefusal::NotLeader => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        FetchRefusal::Offline => ErrorCode::KAFKA_STORAGE_ERROR,
        FetchRefusal::NotYet => ErrorCode::OFFSET_NOT_AVAILABLE,
    }
}
