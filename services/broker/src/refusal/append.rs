//! Refused appends.

use aquifer_partition::Refusal;
use aquifer_wire::ErrorCode;

/// What Kafka calls an append that a replica does not take.
pub(crate) fn append_error(refusal: &Refusal) -> ErrorCode {
    match refusal {
        Refusal::NotLeader => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        Refusal::Offline | Refusal::WriteFailed => ErrorCode::KAFKA_STORAGE_ERROR,
        Refusal::FencedEpoch { .. } => ErrorCode::FENCED_LEADER_EPOCH,
        Refusal::UnknownEpoch { .. } => ErrorCode::UNKNOWN_LEADER_EPOCH,
        Refusal::NotEnoughReplicas { .. } => ErrorCode::NOT_ENOUGH_REPLICAS,
        Refusal::FencedProducer { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
        Refusal::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        // Asked for through AquiferAppend alone, whose answer says more.
        Refusal::UnexpectedEnd { .. } | Refusal::AnotherToken { .. } => ErrorCode::INVALID_REQUEST,
        Refusal::Transactional => ErrorCode::INVALID_TXN_STATE,
        Refusal::TooManyInFlight => ErrorCode::REQUEST_TIMED_OUT,
        Refusal::OffsetsUsedUp => ErrorCode::INVALID_REQUEST,
    }
}
