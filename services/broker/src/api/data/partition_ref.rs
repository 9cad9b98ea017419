//! `TopicRef`: a topic as a request names it, and the replica that is meant.

use std::sync::Arc;

use aquifer_metadata::{Image, Topic};
use aquifer_replica::Replica;
use aquifer_types::{LeaderEpoch, PartitionIndex, TopicId, TopicPartition, Uuid};
use aquifer_wire::ErrorCode;

use crate::broker::Broker;

/// A topic by name, or by id from the versions on that have ids.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TopicRef<'a> {
    Name(&'a str),
    Id(Uuid),
}

impl<'a> TopicRef<'a> {
    pub(crate) fn find<'i>(&self, image: &'i Image) -> Result<&'i Arc<Topic>, ErrorCode> {
        match self {
            TopicRef::Name(name) => image.topic(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            TopicRef::Id(id) => image.topic_by_id(TopicId(*id)).ok_or(ErrorCode::UNKNOWN_TOPIC_ID),
        }
    }
}

impl Broker {
    /// This broker's replica of a partition that exists.
    pub(crate) fn replica_of(&self, topic: &Topic, partition: i32) -> Result<Arc<Replica>, ErrorCode> {
        let index = PartitionIndex(partition);
        if topic.partition(index).is_none() {
            return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        }
        let id = TopicPartition { topic: topic.id(), partition: index };
        self.replica(id).ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)
    }
}

/// The leader epoch a request names; -1 names none.
pub(crate) fn expected_epoch(number: i32) -> Option<LeaderEpoch> {
    (number >= 0).then_some(LeaderEpoch(number))
}
