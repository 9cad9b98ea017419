//! LeaveGroup: classic members leave, or are made to.

use std::sync::Arc;

use aquifer_group::{Answer, Leaver, Left, Request};
use aquifer_net::Call;
use aquifer_wire::messages::leave_group_response::MemberResponse;
use aquifer_wire::messages::{LeaveGroupRequest, LeaveGroupResponse};
use aquifer_wire::{ErrorCode, Text};

use super::route::{instance, member};
use crate::api::later;
use crate::broker::Broker;
use crate::refusal::{answered, group_error};
use crate::service::Caller;

/// From this version on a request names several members, and the answer has one part for each.
const SEVERAL_FROM: i16 = 3;

pub(crate) fn leave_group(broker: &Arc<Broker>, caller: Caller, request: &LeaveGroupRequest) -> Call {
    let several = caller.version >= SEVERAL_FROM;
    let leavers = if several {
        let leaver = |named: &aquifer_wire::messages::leave_group_request::MemberIdentity| Leaver {
            member: member(&named.member_id),
            instance: instance(named.group_instance_id.as_ref()),
        };
        request.members.iter().map(leaver).collect()
    } else {
        vec![Leaver { member: member(&request.member_id), instance: None }]
    };
    let asked = broker.ask_group(&request.group_id, Request::Leave(leavers));
    later(caller, async move {
        let left = answered(asked.answer().await, |answer| match answer {
            Answer::Leave(left) => Some(Ok(left)),
            _ => None,
        });
        match left {
            Err(refusal) => {
                LeaveGroupResponse { error_code: refusal.code(), ..LeaveGroupResponse::default() }
            }
            Ok(left) if several => LeaveGroupResponse {
                members: left.iter().map(told).collect(),
                ..LeaveGroupResponse::default()
            },
            Ok(left) => LeaveGroupResponse {
                error_code: left.first().map_or(ErrorCode::NONE, code),
                ..LeaveGroupResponse::default()
            },
        }
    })
}

fn code(left: &Left) -> ErrorCode {
    left.outcome.as_ref().map_or_else(group_error, |()| ErrorCode::NONE)
}

fn told(left: &Left) -> MemberResponse {
    MemberResponse {
        member_id: Text::from(left.member.as_str()),
        group_instance_id: left.instance.as_ref().map(|name| Text::from(name.as_str())),
        error_code: code(left),
    }
}
