//! Offsets by what they stand for: ListOffsets for places in a log, OffsetForLeaderEpoch for the ends of epochs.

use aquifer_types::{LeaderEpoch, NodeId, Offset, PartitionIndex, TimestampMs};
use aquifer_wire::Text;
use aquifer_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use aquifer_wire::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use aquifer_wire::messages::{ListOffsetsRequest, OffsetForLeaderEpochRequest};

use crate::client::Client;
use crate::cluster::Leader;
use crate::error::ClientError;
use crate::per_leader::{Answers, PerLeader, Place, by_topic, index_of};

/// A place in a partition, named by something other than its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetAt {
    /// The first record there is.
    Start,
    /// After the last record that consumers see.
    End,
    /// The first record of that time or later.
    Time(TimestampMs),
    /// The record with the latest time.
    LatestTime,
}

/// What a broker knows of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// `None` if no record is that late.
    pub offset: Option<Offset>,
    /// The record's, where a time was asked for.
    pub timestamp: Option<TimestampMs>,
    pub epoch: Option<LeaderEpoch>,
}

/// Where the records of a leader epoch end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EpochEnd {
    /// The one asked for, or the latest before it.
    pub(crate) epoch: Option<LeaderEpoch>,
    pub(crate) end: Option<Offset>,
}

/// The offsets of places, by index.
struct AtPlaces<'a> {
    places: &'a [Place],
    wanted: &'a [OffsetAt],
    read_committed: bool,
}

/// The ends of epochs, by index.
struct EndsOf<'a> {
    places: &'a [Place],
    epochs: &'a [LeaderEpoch],
}

impl OffsetAt {
    fn number(self) -> i64 {
        match self {
            OffsetAt::Start => -2,
            OffsetAt::End => -1,
            OffsetAt::LatestTime => -3,
            OffsetAt::Time(time) => time.0,
        }
    }
}

impl Client {
    /// The offset at `at`; `None` if no record is that late.
    pub async fn offset(
        &self,
        topic: &str,
        partition: PartitionIndex,
        at: OffsetAt,
    ) -> Result<Option<Offset>, ClientError> {
        let wanted = [((Text::from(topic), partition), at)];
        let listed = self.list_offsets(&wanted, false).await.pop();
        Ok(listed.ok_or(ClientError::Incomplete("the partition"))??.offset)
    }

    /// The offsets of many places, each named once, in their order. `read_committed` makes the end the last stable offset.
    pub async fn list_offsets(
        &self,
        wanted: &[(Place, OffsetAt)],
        read_committed: bool,
    ) -> Vec<Result<Listed, ClientError>> {
        let (places, wanted): (Vec<Place>, Vec<OffsetAt>) = wanted.iter().cloned().unzip();
        self.ask_leaders(&places, &AtPlaces { places: &places, wanted: &wanted, read_committed }).await
    }

    /// Where the given epochs end, in their order.
    pub(crate) async fn epoch_ends(
        &self,
        wanted: &[(Place, LeaderEpoch)],
    ) -> Vec<Result<EpochEnd, ClientError>> {
        let (places, epochs): (Vec<Place>, Vec<LeaderEpoch>) = wanted.iter().cloned().unzip();
        self.ask_leaders(&places, &EndsOf { places: &places, epochs: &epochs }).await
    }
}

impl PerLeader for AtPlaces<'_> {
    type Answer = Listed;

    async fn ask(
        &self,
        client: &Client,
        node: NodeId,
        led: &[(usize, Leader)],
    ) -> Result<Answers<Listed>, ClientError> {
        let topics = by_topic(self.places, led).into_iter().map(|(name, partitions)| ListOffsetsTopic {
            name: name.clone(),
            partitions: partitions
                .into_iter()
                .map(|(index, leader, partition)| ListOffsetsPartition {
                    partition_index: partition.0,
                    current_leader_epoch: leader.epoch.0,
                    timestamp: self.wanted[index].number(),
                })
                .collect(),
        });
        let request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level: i8::from(self.read_committed),
            topics: topics.collect(),
            ..ListOffsetsRequest::default()
        };
        let response = client.call(node, &request).await?;
        let mut answers = Vec::new();
        for topic in &response.topics {
            for part in &topic.partitions {
                let Some(index) = index_of(self.places, led, &topic.name, part.partition_index) else {
                    continue;
                };
                let listed = ClientError::check(part.error_code, None).map(|()| Listed {
                    offset: Some(Offset(part.offset)).filter(|offset| offset.0 >= 0),
                    timestamp: Some(TimestampMs(part.timestamp)).filter(|time| time.0 >= 0),
                    epoch: Some(LeaderEpoch(part.leader_epoch)).filter(|epoch| epoch.0 >= 0),
                });
                answers.push((index, listed));
            }
        }
        Ok(answers)
    }
}

impl PerLeader for EndsOf<'_> {
    type Answer = EpochEnd;

    async fn ask(
        &self,
        client: &Client,
        node: NodeId,
        led: &[(usize, Leader)],
    ) -> Result<Answers<EpochEnd>, ClientError> {
        let topics = by_topic(self.places, led).into_iter().map(|(name, partitions)| OffsetForLeaderTopic {
            topic: name.clone(),
            partitions: partitions
                .into_iter()
                .map(|(index, leader, partition)| OffsetForLeaderPartition {
                    partition: partition.0,
                    current_leader_epoch: leader.epoch.0,
                    leader_epoch: self.epochs[index].0,
                })
                .collect(),
        });
        let request = OffsetForLeaderEpochRequest { replica_id: -1, topics: topics.collect() };
        let response = client.call(node, &request).await?;
        let mut answers = Vec::new();
        for topic in &response.topics {
            for part in &topic.partitions {
                let Some(index) = index_of(self.places, led, &topic.topic, part.partition) else { continue };
                let end = ClientError::check(part.error_code, None).map(|()| EpochEnd {
                    epoch: Some(LeaderEpoch(part.leader_epoch)).filter(|epoch| epoch.0 >= 0),
                    end: Some(Offset(part.end_offset)).filter(|end| end.0 >= 0),
                });
                answers.push((index, end));
            }
        }
        Ok(answers)
    }
}
