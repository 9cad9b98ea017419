//! DescribeProducers: which idempotent producers a partition knows.

use aquifer_wire::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use aquifer_wire::messages::{DescribeProducersRequest, DescribeProducersResponse};

use super::partition_ref::TopicRef;
use crate::broker::Broker;

pub(crate) fn describe_producers(
    broker: &Broker,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let image = broker.image();
    let mut topics = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let topic = TopicRef::Name(&asked.name).find(&image);
        let partitions = asked.partition_indexes.iter().map(|index| {
            let found = topic.and_then(|topic| broker.replica_of(topic, *index));
            let described =
                PartitionResponse { partition_index: *index, error_message: None, ..Default::default() };
            match found {
                Ok(replica) => PartitionResponse {
                    active_producers: replica.producers().iter().map(describe).collect(),
                    ..described
                },
                Err(error_code) => PartitionResponse { error_code, ..described },
            }
        });
        let partitions = partitions.collect();
        topics.push(TopicResponse { name: asked.name, partitions });
    }
    DescribeProducersResponse { topics, ..DescribeProducersResponse::default() }
}

fn describe(producer: &aquifer_record::ProducerState) -> ProducerState {
    ProducerState {
        producer_id: producer.id.0,
        producer_epoch: i32::from(producer.epoch.0),
        last_sequence: producer.batches.last().map_or(-1, |batch| batch.last_sequence),
        last_timestamp: producer.last_timestamp.0,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.first_open_offset.map_or(-1, |offset| offset.0),
    }
}
