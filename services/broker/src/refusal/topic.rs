//! Refused changes of topics.

use aquifer_metadata::{
    AlterConfigRefusal, CreatePartitionsRefusal, CreateTopicRefusal, PartitionCountRefusal, PlacementRefusal,
    UndeleteRefusal, UnknownTopic,
};
use aquifer_types::InvalidTopicName;
use aquifer_wire::ErrorCode;

use crate::refusal::Refused;

impl From<InvalidTopicName> for Refused {
    fn from(refusal: InvalidTopicName) -> Refused {
        Refused::new(ErrorCode::INVALID_TOPIC_EXCEPTION, refusal)
    }
}

impl From<UnknownTopic> for Refused {
    fn from(refusal: UnknownTopic) -> Refused {
        Refused::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, refusal)
    }
}

impl From<PartitionCountRefusal> for Refused {
    fn from(refusal: PartitionCountRefusal) -> Refused {
        Refused::new(ErrorCode::INVALID_PARTITIONS, refusal)
    }
}

impl From<PlacementRefusal> for Refused {
    fn from(refusal: PlacementRefusal) -> Refused {
        Refused::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, refusal)
    }
}

impl From<CreateTopicRefusal> for Refused {
    fn from(refusal: CreateTopicRefusal) -> Refused {
        match refusal {
            CreateTopicRefusal::Exists(_) => Refused::new(ErrorCode::TOPIC_ALREADY_EXISTS, refusal),
            CreateTopicRefusal::Collides { .. } => Refused::new(ErrorCode::INVALID_TOPIC_EXCEPTION, refusal),
            // Ids are drawn at random: the same request draws another.
            CreateTopicRefusal::IdUsed(_) => Refused::new(ErrorCode::REQUEST_TIMED_OUT, refusal),
            CreateTopicRefusal::Partitions(refusal) => refusal.into(),
            CreateTopicRefusal::Placement(refusal) => refusal.into(),
            // Kafka calls this an invalid config in a new topic, and an invalid request in a change.
            CreateTopicRefusal::Config(AlterConfigRefusal::NullValue(_)) => {
                Refused::new(ErrorCode::INVALID_CONFIG, refusal)
            }
            CreateTopicRefusal::Config(refusal) => refusal.into(),
        }
    }
}

impl From<UndeleteRefusal> for Refused {
    fn from(refusal: UndeleteRefusal) -> Refused {
        match refusal {
            UndeleteRefusal::Unknown => Refused::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, refusal),
            UndeleteRefusal::TooLate => Refused::new(ErrorCode::INVALID_REQUEST, refusal),
            UndeleteRefusal::Create(refusal) => refusal.into(),
        }
    }
}

impl From<CreatePartitionsRefusal> for Refused {
    fn from(refusal: CreatePartitionsRefusal) -> Refused {
        match refusal {
            CreatePartitionsRefusal::Unknown(refusal) => refusal.into(),
            CreatePartitionsRefusal::Changed { .. } => Refused::new(ErrorCode::INVALID_PARTITIONS, refusal),
            CreatePartitionsRefusal::Partitions(refusal) => refusal.into(),
            CreatePartitionsRefusal::Placement(refusal) => refusal.into(),
        }
    }
}
