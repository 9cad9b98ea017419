//! ConsumerGroupHeartbeat: a member of the consumer protocol joins, stays or leaves.

use std::sync::Arc;

use aquifer_coordinator::{Asked, check_pattern};
use aquifer_group::{Answer, ConsumerHeartbeat, HeartbeatAnswer, Partitions, Request};
use aquifer_net::Call;
use aquifer_types::TopicId;
use aquifer_wire::messages::consumer_group_heartbeat_request::TopicPartitions as Owned;
use aquifer_wire::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use aquifer_wire::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use aquifer_wire::{ErrorCode, Text};

use super::route::{instance, kept, member};
use crate::api::{later, now};
use crate::broker::Broker;
use crate::refusal::answered;
use crate::service::Caller;

/// From this version on clients draw their own ids.
const OWN_ID_FROM: i16 = 1;
const JOINS: i32 = 0;

pub(crate) fn consumer_group_heartbeat(
    broker: &Arc<Broker>,
    caller: Caller,
    request: &ConsumerGroupHeartbeatRequest,
) -> Call {
    let pattern = request.subscribed_topic_regex.as_ref();
    // Longer ones are refused by the core, which says so; they are not compiled first.
    let bytes_max = broker.settings.groups.limits.pattern_bytes_max;
    let compiled = pattern
        .filter(|pattern| pattern.len() <= bytes_max)
        .map(|text| broker.runtime.hold_up(&broker.unpacking, || check_pattern(text)));
    if let Some(Err(error)) = compiled {
        return now(
            &caller,
            &ConsumerGroupHeartbeatResponse {
                error_code: ErrorCode::INVALID_REGULAR_EXPRESSION,
                error_message: Some(Text::from(error.to_string())),
                ..ConsumerGroupHeartbeatResponse::default()
            },
        );
    }
    let is_new =
        caller.version < OWN_ID_FROM && request.member_epoch == JOINS && request.member_id.is_empty();
    let beat = ConsumerHeartbeat {
        member: if is_new { broker.fresh_member_id("") } else { member(&request.member_id) },
        epoch: request.member_epoch,
        instance: instance(request.instance_id.as_ref()),
        rack: request.rack_id.as_ref().filter(|rack| !rack.is_empty()).map(kept),
        client_id: kept(&caller.client_id),
        client_host: caller.host(),
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        topics: request.subscribed_topic_names.as_ref().map(|names| names.iter().map(kept).collect()),
        pattern: pattern.map(kept),
        assignor: request.server_assignor.as_ref().map(kept),
        owned: request.topic_partitions.as_deref().map(owned),
        session_timeout_ms: (request.session_timeout_ms >= 0).then_some(request.session_timeout_ms),
    };
    let asks_timeout = beat.session_timeout_ms.is_some();
    let asked = broker.ask_group(&request.group_id, Request::ConsumerHeartbeat(beat));
    later(caller, answer(asked, asks_timeout))
}

fn owned(topics: &[Owned]) -> Partitions {
    let mut owned = Partitions::new();
    for topic in topics {
        owned.entry(TopicId(topic.topic_id)).or_default().extend(&topic.partitions);
    }
    for partitions in owned.values_mut() {
        partitions.sort_unstable();
        partitions.dedup();
    }
    owned
}

async fn answer(asked: Asked, asks_timeout: bool) -> ConsumerGroupHeartbeatResponse {
    let outcome = answered(asked.answer().await, |answer| match answer {
        Answer::ConsumerHeartbeat(outcome) => Some(outcome),
        _ => None,
    });
    match outcome {
        Ok(HeartbeatAnswer { member, epoch, heartbeat_interval_ms, session_timeout_ms, assignment }) => {
            ConsumerGroupHeartbeatResponse {
                member_id: Some(Text::from(member.as_str())),
                member_epoch: epoch,
                heartbeat_interval_ms,
                assignment: assignment.map(assigned),
                session_timeout_ms: session_timeout_ms.filter(|_| asks_timeout).unwrap_or(-1),
                ..ConsumerGroupHeartbeatResponse::default()
            }
        }
        Err(refusal) => ConsumerGroupHeartbeatResponse {
            error_code: refusal.code(),
            error_message: Some(Text::from(refusal.to_string())),
            ..ConsumerGroupHeartbeatResponse::default()
        },
    }
}

fn assigned(partitions: Partitions) -> Assignment {
    let topics =
        partitions.into_iter().map(|(topic, partitions)| TopicPartitions { topic_id: topic.0, partitions });
    Assignment { topic_partitions: topics.collect() }
}
