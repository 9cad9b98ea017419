//! OffsetForLeaderEpoch: where an epoch ends, so that a client finds where its log and ours part.

use aquifer_replica::EpochEnd;
use aquifer_types::LeaderEpoch;
use aquifer_wire::ErrorCode;
use aquifer_wire::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use aquifer_wire::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use aquifer_wire::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::partition_ref::{TopicRef, expected_epoch};
use crate::broker::Broker;
use crate::refusal::fetch_error;

pub(crate) fn offset_for_leader_epoch(
    broker: &Broker,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let image = broker.image();
    let mut topics = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let topic = TopicRef::Name(&asked.topic).find(&image);
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        for partition in &asked.partitions {
            let replica = topic.and_then(|topic| broker.replica_of(topic, partition.partition));
            let found = replica.and_then(|replica| {
                let expected = expected_epoch(partition.current_leader_epoch);
                let asked = LeaderEpoch(partition.leader_epoch);
                replica.end_of_epoch(expected, asked).map_err(|refusal| fetch_error(&refusal))
            });
            partitions.push(answer(partition, found));
        }
        topics.push(OffsetForLeaderTopicResult { topic: asked.topic, partitions });
    }
    OffsetForLeaderEpochResponse { topics, ..OffsetForLeaderEpochResponse::default() }
}

fn answer(asked: &OffsetForLeaderPartition, found: Result<Option<EpochEnd>, ErrorCode>) -> EpochEndOffset {
    let unknown = EpochEndOffset { partition: asked.partition, ..EpochEndOffset::default() };
    match found {
        Ok(Some(EpochEnd { epoch, end })) => {
            EpochEndOffset { leader_epoch: epoch.0, end_offset: end.0, ..unknown }
        }
        Ok(None) => unknown,
        Err(error_code) => EpochEndOffset { error_code, ..unknown },
    }
}
