//! SyncGroup: a classic member asks for its assignment, and the leader brings everyone's.

use std::sync::Arc;

use aquifer_group::{Answer, Request, Sync};
use aquifer_net::Call;
use aquifer_wire::Text;
use aquifer_wire::messages::{SyncGroupRequest, SyncGroupResponse};

use super::route::{instance, kept, kept_bytes, member, sent};
use crate::api::later;
use crate::broker::Broker;
use crate::refusal::answered;
use crate::service::Caller;

pub(crate) fn sync_group(broker: &Arc<Broker>, caller: Caller, request: &SyncGroupRequest) -> Call {
    let assignments = request
        .assignments
        .iter()
        .map(|assignment| (member(&assignment.member_id), kept_bytes(&assignment.assignment)));
    let sync = Sync {
        member: member(&request.member_id),
        instance: instance(request.group_instance_id.as_ref()),
        generation: request.generation_id,
        protocol_type: request.protocol_type.as_ref().map(kept),
        protocol: request.protocol_name.as_ref().map(kept),
        assignments: assignments.collect(),
    };
    let asked = broker.ask_group(&request.group_id, Request::Sync(sync));
    later(caller, async move {
        let synced = answered(asked.answer().await, |answer| match answer {
            Answer::Sync(synced) => Some(synced),
            _ => None,
        });
        match synced {
            Ok(synced) => SyncGroupResponse {
                protocol_type: Some(Text::from(&*synced.protocol_type)),
                protocol_name: synced.protocol.as_deref().map(Text::from),
                assignment: sent(&synced.assignment),
                ..SyncGroupResponse::default()
            },
            Err(refusal) => SyncGroupResponse { error_code: refusal.code(), ..SyncGroupResponse::default() },
        }
    })
}
