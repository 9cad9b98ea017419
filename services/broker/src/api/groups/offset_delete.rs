//! OffsetDelete: committed offsets that are no longer wanted.

use std::sync::Arc;

use aquifer_coordinator::Asked;
use aquifer_group::{Answer, Request};
use aquifer_net::Call;
use aquifer_types::TopicName;
use aquifer_wire::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use aquifer_wire::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use aquifer_wire::{ErrorCode, Text};

use crate::api::later;
use crate::broker::Broker;
use crate::refusal::{answered, group_error};
use crate::service::Caller;

pub(crate) fn offset_delete(broker: &Arc<Broker>, caller: Caller, request: &OffsetDeleteRequest) -> Call {
    let image = broker.image();
    let mut wanted = Vec::new();
    let mut unknown = Vec::new();
    for topic in &request.topics {
        let partitions = topic.partitions.iter().map(|partition| partition.partition_index);
        match TopicName::new(&topic.name) {
            Ok(name) if image.topic(&topic.name).is_some() => wanted.push((name, partitions.collect())),
            _ => {
                let told = partitions.map(|partition| told(partition, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
                unknown.push(OffsetDeleteResponseTopic {
                    name: topic.name.detached(),
                    partitions: told.collect(),
                });
            }
        }
    }
    let asked = broker.ask_group(&request.group_id, Request::DeleteOffsets(wanted));
    later(caller, answer(asked, unknown))
}

async fn answer(asked: Asked, mut topics: Vec<OffsetDeleteResponseTopic>) -> OffsetDeleteResponse {
    let outcome = answered(asked.answer().await, |answer| match answer {
        Answer::DeleteOffsets(outcome) => Some(outcome),
        _ => None,
    });
    let outcomes = match outcome {
        Ok(outcomes) => outcomes,
        Err(refusal) => {
            return OffsetDeleteResponse { error_code: refusal.code(), ..OffsetDeleteResponse::default() };
        }
    };
    topics.extend(outcomes.into_iter().map(|(name, outcomes)| {
        let partitions = outcomes.into_iter().map(|(partition, outcome)| {
            told(partition, outcome.as_ref().map_or_else(group_error, |()| ErrorCode::NONE))
        });
        OffsetDeleteResponseTopic { name: Text::from(name.as_str()), partitions: partitions.collect() }
    }));
    OffsetDeleteResponse { topics, ..OffsetDeleteResponse::default() }
}

fn told(partition_index: i32, error_code: ErrorCode) -> OffsetDeleteResponsePartition {
    OffsetDeleteResponsePartition { partition_index, error_code }
}
