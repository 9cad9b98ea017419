//! ConsumerGroupDescribe: groups of the consumer protocol as administrators see them.

use std::sync::Arc;

use aquifer_coordinator::Asked;
use aquifer_group::{Answer, ConsumerMember, Request};
use aquifer_net::Call;
use aquifer_types::{TopicId, TopicName};
use aquifer_wire::Text;
use aquifer_wire::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};
use aquifer_wire::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};

use super::too_many;
use crate::api::later;
use crate::api::operations::GROUP_OPERATIONS;
use crate::broker::Broker;
use crate::refusal::answered;
use crate::service::Caller;

/// Kafka's numbers of members that speak the classic and the consumer protocol.
const CLASSIC_MEMBER: i8 = 0;
const CONSUMER_MEMBER: i8 = 1;

pub(crate) fn consumer_group_describe(
    broker: &Arc<Broker>,
    caller: Caller,
    request: ConsumerGroupDescribeRequest,
) -> Call {
    if let Some(closed) = too_many(&caller, request.group_ids.len()) {
        return closed;
    }
    let operations = if request.include_authorized_operations { GROUP_OPERATIONS } else { i32::MIN };
    let asked = request
        .group_ids
        .into_iter()
        .map(|group| (group.detached(), broker.ask_group(&group, Request::ConsumerDescribe)))
        .collect::<Vec<_>>();
    later(caller, async move {
        let mut groups = Vec::with_capacity(asked.len());
        for (group_id, asked) in asked {
            groups.push(describe(operations, group_id, asked).await);
        }
        ConsumerGroupDescribeResponse { groups, ..ConsumerGroupDescribeResponse::default() }
    })
}

async fn describe(operations: i32, group_id: Text, asked: Asked) -> DescribedGroup {
    let described = answered(asked.answer().await, |answer| match answer {
        Answer::ConsumerDescribe(described) => Some(described),
        _ => None,
    });
    let empty = DescribedGroup { group_id, ..DescribedGroup::default() };
    match described {
        Ok(described) => DescribedGroup {
            group_state: Text::from_static(described.state),
            group_epoch: described.epoch,
            assignment_epoch: described.assignment_epoch,
            assignor_name: Text::from_static(described.assignor),
            members: described.members.into_iter().map(member).collect(),
            authorized_operations: operations,
            ..empty
        },
        Err(refusal) => DescribedGroup {
            error_code: refusal.code(),
            error_message: Some(Text::from(refusal.to_string())),
            ..empty
        },
    }
}

fn member(member: ConsumerMember) -> Member {
    let ConsumerMember { id, said, epoch, assigned, target } = member;
    let text = |text: &Arc<str>| Text::from(&**text);
    Member {
        member_id: Text::from(id.as_str()),
        instance_id: said.instance.as_ref().map(|name| Text::from(name.as_str())),
        rack_id: said.rack.as_ref().map(text),
        member_epoch: epoch,
        client_id: text(&said.client_id),
        client_host: text(&said.client_host),
        subscribed_topic_names: said.topics.iter().map(text).collect(),
        subscribed_topic_regex: said.pattern.as_ref().map(text),
        assignment: assignment(assigned),
        target_assignment: assignment(target),
        member_type: if said.classic.is_some() { CLASSIC_MEMBER } else { CONSUMER_MEMBER },
    }
}

fn assignment(topics: Vec<(TopicId, TopicName, Vec<i32>)>) -> Assignment {
    let topics = topics.into_iter().map(|(id, name, partitions)| TopicPartitions {
        topic_id: id.0,
        topic_name: Text::from(name.as_str()),
        partitions,
    });
    Assignment { topic_partitions: topics.collect() }
}
