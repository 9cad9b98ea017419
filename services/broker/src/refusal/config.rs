//! Refused changes of configs and features.

use aquifer_metadata::{AlterConfigRefusal, FeatureRefusal, InvalidResource};
use aquifer_wire::ErrorCode;

use crate::refusal::Refused;

impl From<AlterConfigRefusal> for Refused {
    fn from(refusal: AlterConfigRefusal) -> Refused {
        let code = match refusal {
            AlterConfigRefusal::UnknownTopic(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            AlterConfigRefusal::GroupId(_)
            | AlterConfigRefusal::Twice(_)
            | AlterConfigRefusal::NullValue(_)
            | AlterConfigRefusal::NotDynamic(_)
            | AlterConfigRefusal::ClusterWide(_) => ErrorCode::INVALID_REQUEST,
            AlterConfigRefusal::TooManyGroups(_) => ErrorCode::POLICY_VIOLATION,
            AlterConfigRefusal::NotAList(_) | AlterConfigRefusal::Invalid(_) => ErrorCode::INVALID_CONFIG,
        };
        Refused::new(code, refusal)
    }
}

impl From<InvalidResource> for Refused {
    fn from(refusal: InvalidResource) -> Refused {
        let code = match refusal {
            InvalidResource::Topic(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
            InvalidResource::Kind(_) | InvalidResource::Broker(_) => ErrorCode::INVALID_REQUEST,
        };
        Refused::new(code, refusal)
    }
}

impl From<FeatureRefusal> for Refused {
    fn from(refusal: FeatureRefusal) -> Refused {
        Refused::new(ErrorCode::INVALID_UPDATE_VERSION, refusal)
    }
}
