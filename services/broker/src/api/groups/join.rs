//! JoinGroup: a classic member wants in.

use std::sync::Arc;

use aquifer_coordinator::Asked;
use aquifer_group::{Answer, Join, Joined, Refusal, Request};
use aquifer_net::Call;
use aquifer_wire::Text;
use aquifer_wire::messages::join_group_response::JoinGroupResponseMember;
use aquifer_wire::messages::{JoinGroupRequest, JoinGroupResponse};

use super::route::{instance, kept, kept_bytes, member, sent};
use crate::api::later;
use crate::broker::Broker;
use crate::refusal::{GroupRefusal, answered};
use crate::service::Caller;

/// From this version on a rebalance has a timeout of its own.
const REBALANCE_TIMEOUT_FROM: i16 = 1;
const KNOWN_ID_FROM: i16 = 4;
const NULL_PROTOCOL_FROM: i16 = 7;
const SKIP_ASSIGNMENT_FROM: i16 = 9;

pub(crate) fn join_group(broker: &Arc<Broker>, caller: Caller, request: &JoinGroupRequest) -> Call {
    let version = caller.version;
    let static_name = request.group_instance_id.as_ref();
    let prefix = static_name.unwrap_or(&caller.client_id);
    let join = Join {
        member: member(&request.member_id),
        instance: instance(static_name),
        client_id: kept(&caller.client_id),
        client_host: caller.host(),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: if version < REBALANCE_TIMEOUT_FROM {
            request.session_timeout_ms
        } else {
            request.rebalance_timeout_ms
        },
        protocol_type: kept(&request.protocol_type),
        protocols: request
            .protocols
            .iter()
            .map(|protocol| (kept(&protocol.name), kept_bytes(&protocol.metadata)))
            .collect(),
        needs_known_id: version >= KNOWN_ID_FROM,
        can_skip_assignment: version >= SKIP_ASSIGNMENT_FROM,
        fresh_id: broker.fresh_member_id(prefix),
    };
    let asked = broker.ask_group(&request.group_id, Request::Join(join));
    let named = request.member_id.detached();
    later(caller, answer(asked, version, named))
}

async fn answer(asked: Asked, version: i16, named: Text) -> JoinGroupResponse {
    let joined = answered(asked.answer().await, |answer| match answer {
        Answer::Join(joined) => Some(joined),
        _ => None,
    });
    match joined {
        Ok(joined) => welcome(version, &joined),
        Err(refusal) => {
            let member_id = match &refusal {
                GroupRefusal::Refused(Refusal::MemberIdRequired { member }) => Text::from(member.as_str()),
                _ => named,
            };
            JoinGroupResponse {
                error_code: refusal.code(),
                protocol_name: protocol_name(version, None),
                member_id,
                ..JoinGroupResponse::default()
            }
        }
    }
}

fn welcome(version: i16, joined: &Joined) -> JoinGroupResponse {
    let members = joined.members.iter().map(|member| JoinGroupResponseMember {
        member_id: Text::from(member.id.as_str()),
        group_instance_id: member.instance.as_ref().map(|name| Text::from(name.as_str())),
        metadata: sent(&member.metadata),
    });
    JoinGroupResponse {
        generation_id: joined.generation,
        protocol_type: Some(Text::from(&*joined.protocol_type)),
        protocol_name: protocol_name(version, joined.protocol.as_deref()),
        leader: Text::from(joined.leader.as_str()),
        skip_assignment: joined.skip_assignment,
        member_id: Text::from(joined.member.as_str()),
        members: members.collect(),
        ..JoinGroupResponse::default()
    }
}

fn protocol_name(version: i16, protocol: Option<&str>) -> Option<Text> {
    match protocol {
        Some(protocol) => Some(Text::from(protocol)),
        None if version >= NULL_PROTOCOL_FROM => None,
        None => Some(Text::EMPTY),
    }
}
