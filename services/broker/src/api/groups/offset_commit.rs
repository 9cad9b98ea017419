//! OffsetCommit: offsets to be kept for a group.

use std::sync::Arc;

use aquifer_coordinator::Asked;
use aquifer_group::{Answer, ByPartition, Commit, CommitPartition, Request};
use aquifer_metadata::Image;
use aquifer_net::Call;
use aquifer_types::{Offset, TopicName};
use aquifer_wire::ErrorCode;
use aquifer_wire::messages::offset_commit_request::OffsetCommitRequestTopic;
use aquifer_wire::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use aquifer_wire::messages::{OffsetCommitRequest, OffsetCommitResponse};

use super::route::{instance, member};
use crate::api::data::TopicRef;
use crate::api::later;
use crate::broker::Broker;
use crate::refusal::{GroupRefusal, answered, group_error};
use crate::service::Caller;

/// From this version on topics are named by id.
const BY_ID_FROM: i16 = 10;
/// From this version on clients know the errors of the consumer protocol.
const EPOCHS_FROM: i16 = 9;

/// What an answer says of a topic: with the shard's outcomes once there are some, if the topic went to the shard.
struct Topic {
    response: OffsetCommitResponseTopic,
    asked: bool,
}

pub(crate) fn offset_commit(broker: &Arc<Broker>, caller: Caller, request: OffsetCommitRequest) -> Call {
    let image = broker.image();
    let mut topics = Vec::with_capacity(request.topics.len());
    let mut wanted = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let found = name(&image, caller.version, &topic);
        topics.push(Topic { asked: found.is_ok(), response: refused(&topic, found.as_ref().err()) });
        if let Ok(name) = found {
            let partitions = topic.partitions.iter().map(|partition| CommitPartition {
                partition: partition.partition_index,
                offset: Offset(partition.committed_offset),
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition.committed_metadata.as_deref().unwrap_or_default().into(),
            });
            wanted.push((name, partitions.collect()));
        }
    }
    let commit = Commit {
        member: member(&request.member_id),
        instance: instance(request.group_instance_id.as_ref()),
        generation: request.generation_id_or_member_epoch,
        knows_epochs: caller.version >= EPOCHS_FROM,
        retention_ms: (request.retention_time_ms >= 0).then_some(request.retention_time_ms),
        topics: wanted,
    };
    let asked = broker.ask_group(&request.group_id, Request::Commit(commit));
    later(caller, answer(asked, topics))
}

fn name(image: &Image, version: i16, topic: &OffsetCommitRequestTopic) -> Result<TopicName, ErrorCode> {
    if version >= BY_ID_FROM {
        return Ok(TopicRef::Id(topic.topic_id).find(image)?.name().clone());
    }
    TopicName::new(&topic.name).map_err(|_invalid| ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}

fn refused(topic: &OffsetCommitRequestTopic, code: Option<&ErrorCode>) -> OffsetCommitResponseTopic {
    let partitions = topic.partitions.iter().map(|partition| OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: code.copied().unwrap_or(ErrorCode::NONE),
    });
    OffsetCommitResponseTopic {
        name: topic.name.detached(),
        topic_id: topic.topic_id,
        partitions: partitions.collect(),
    }
}

async fn answer(asked: Asked, mut topics: Vec<Topic>) -> OffsetCommitResponse {
    let outcome = answered(asked.answer().await, |answer| match answer {
        Answer::Commit(outcome) => Some(outcome),
        _ => None,
    });
    let asked = topics.iter_mut().filter(|topic| topic.asked).map(|topic| &mut topic.response);
    match outcome {
        Ok(outcomes) => settle(asked, outcomes),
        Err(refusal) => refuse(asked, &refusal),
    }
    OffsetCommitResponse {
        topics: topics.into_iter().map(|topic| topic.response).collect(),
        ..OffsetCommitResponse::default()
    }
}

/// The shard answers in the order of the request.
fn settle<'a>(topics: impl Iterator<Item = &'a mut OffsetCommitResponseTopic>, outcomes: ByPartition) {
    for (topic, (_, outcomes)) in topics.zip(outcomes) {
        for (partition, (_, outcome)) in topic.partitions.iter_mut().zip(outcomes) {
            partition.error_code = outcome.as_ref().map_or_else(group_error, |()| ErrorCode::NONE);
        }
    }
}

fn refuse<'a>(topics: impl Iterator<Item = &'a mut OffsetCommitResponseTopic>, refusal: &GroupRefusal) {
    let code = refusal.code();
    for partition in topics.flat_map(|topic| &mut topic.partitions) {
        partition.error_code = code;
    }
}
