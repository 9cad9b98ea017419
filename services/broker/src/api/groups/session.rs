//! Heartbeat: a classic member is alive.

use std::sync::Arc;

use aquifer_group::{Answer, Heartbeat, Request};
use aquifer_net::Call;
use aquifer_wire::ErrorCode;
use aquifer_wire::messages::{HeartbeatRequest, HeartbeatResponse};

use super::route::{instance, member};
use crate::api::later;
use crate::broker::Broker;
use crate::refusal::answered;
use crate::service::Caller;

pub(crate) fn heartbeat(broker: &Arc<Broker>, caller: Caller, request: &HeartbeatRequest) -> Call {
    let beat = Heartbeat {
        member: member(&request.member_id),
        instance: instance(request.group_instance_id.as_ref()),
        generation: request.generation_id,
    };
    let asked = broker.ask_group(&request.group_id, Request::Heartbeat(beat));
    later(caller, async move {
        let outcome = answered(asked.answer().await, |answer| match answer {
            Answer::Heartbeat(outcome) => Some(outcome),
            _ => None,
        });
        let error_code = outcome.map_or_else(|refusal| refusal.code(), |()| ErrorCode::NONE);
        HeartbeatResponse { error_code, ..HeartbeatResponse::default() }
    })
}
