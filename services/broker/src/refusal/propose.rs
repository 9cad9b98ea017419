//! Proposals without an answer.

use aquifer_quorum::ProposeError;
use aquifer_wire::ErrorCode;

/// What Kafka calls a decision that was not reached.
pub(crate) fn propose_error(error: &ProposeError) -> ErrorCode {
    match error {
        ProposeError::TooLarge { .. } => ErrorCode::INVALID_REQUEST,
        ProposeError::Busy => ErrorCode::THROTTLING_QUOTA_EXCEEDED,
        ProposeError::NotLeader => ErrorCode::NOT_CONTROLLER,
        ProposeError::Unknown => ErrorCode::REQUEST_TIMED_OUT,
        ProposeError::Sealed => ErrorCode::POLICY_VIOLATION,
        ProposeError::Stopped => ErrorCode::BROKER_NOT_AVAILABLE,
    }
}
