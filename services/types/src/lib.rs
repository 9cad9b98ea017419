//! The words every crate speaks: names, ids, offsets, epochs. No behaviour beyond keeping them apart.

mod epoch;
mod fencing_token;
mod ids;
mod name;
mod offset;
mod time;
mod uuid;

pub use epoch::{BatchEpoch, BrokerEpoch, LeaderEpoch, PartitionEpoch, ProducerEpoch};
pub use fencing_token::{FencingToken, InvalidFencingToken};
pub use ids::{
    ClusterId, DirectoryId, Incarnation, NodeId, PartitionIndex, ProducerId, TopicId, TopicPartition,
};
pub use name::{InvalidTopicName, TopicName};
pub use offset::Offset;
pub use time::TimestampMs;
pub use uuid::{InvalidUuid, Uuid};
