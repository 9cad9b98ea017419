//! Refused requests of groups.

use aquifer_coordinator::Unavailable;
use aquifer_group::{Answer, Refusal};
use aquifer_wire::ErrorCode;

/// Why a group's coordinator did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GroupRefusal {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error("the coordinator gave an answer to another question")]
    Answer,
}

impl GroupRefusal {
    /// What Kafka calls it.
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            GroupRefusal::Refused(refusal) => group_error(refusal),
            GroupRefusal::Unavailable(Unavailable::NotHere) => ErrorCode::NOT_COORDINATOR,
            GroupRefusal::Unavailable(Unavailable::Loading) => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            GroupRefusal::Unavailable(Unavailable::CannotStore) => ErrorCode::COORDINATOR_NOT_AVAILABLE,
            GroupRefusal::Unavailable(Unavailable::ReadOnly) => ErrorCode::POLICY_VIOLATION,
            GroupRefusal::Answer => ErrorCode::UNKNOWN_SERVER_ERROR,
        }
    }
}

/// What Kafka calls a refusal of the group's own.
pub(crate) fn group_error(refusal: &Refusal) -> ErrorCode {
    match refusal {
        Refusal::InvalidGroupId => ErrorCode::INVALID_GROUP_ID,
        Refusal::GroupIdNotFound => ErrorCode::GROUP_ID_NOT_FOUND,
        Refusal::NonEmptyGroup => ErrorCode::NON_EMPTY_GROUP,
        Refusal::SubscribedToTopic => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
        Refusal::GroupMaxSize => ErrorCode::GROUP_MAX_SIZE_REACHED,
        Refusal::Full => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        Refusal::InvalidSessionTimeout => ErrorCode::INVALID_SESSION_TIMEOUT,
        Refusal::InconsistentProtocol => ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        Refusal::InvalidRequest(_) => ErrorCode::INVALID_REQUEST,
        Refusal::MemberIdRequired { .. } => ErrorCode::MEMBER_ID_REQUIRED,
        Refusal::UnknownMember => ErrorCode::UNKNOWN_MEMBER_ID,
        Refusal::FencedInstance => ErrorCode::FENCED_INSTANCE_ID,
        Refusal::IllegalGeneration => ErrorCode::ILLEGAL_GENERATION,
        Refusal::RebalanceInProgress => ErrorCode::REBALANCE_IN_PROGRESS,
        Refusal::OffsetMetadataTooLarge => ErrorCode::OFFSET_METADATA_TOO_LARGE,
        Refusal::UnknownTopicOrPartition => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Refusal::FencedEpoch => ErrorCode::FENCED_MEMBER_EPOCH,
        Refusal::StaleEpoch => ErrorCode::STALE_MEMBER_EPOCH,
        Refusal::UnreleasedInstance => ErrorCode::UNRELEASED_INSTANCE_ID,
        Refusal::UnsupportedAssignor => ErrorCode::UNSUPPORTED_ASSIGNOR,
        Refusal::InvalidPattern => ErrorCode::INVALID_REGULAR_EXPRESSION,
        Refusal::UnsupportedVersion => ErrorCode::UNSUPPORTED_VERSION,
    }
}

/// The part of an answer that belongs to the question, or why there is none.
pub(crate) fn answered<T>(
    outcome: Result<Answer, Unavailable>,
    part: impl FnOnce(Answer) -> Option<Result<T, Refusal>>,
) -> Result<T, GroupRefusal> {
    Ok(part(outcome?).ok_or(GroupRefusal::Answer)??)
}
