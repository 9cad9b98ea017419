//! DeleteGroups: empty groups and their offsets go.

use std::sync::Arc;

use aquifer_group::{Answer, Request};
use aquifer_net::Call;
use aquifer_wire::ErrorCode;
use aquifer_wire::messages::delete_groups_response::DeletableGroupResult;
use aquifer_wire::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use super::too_many;
use crate::api::later;
use crate::broker::Broker;
use crate::refusal::answered;
use crate::service::Caller;

pub(crate) fn delete_groups(broker: &Arc<Broker>, caller: Caller, request: DeleteGroupsRequest) -> Call {
    if let Some(closed) = too_many(&caller, request.groups_names.len()) {
        return closed;
    }
    let asked = request
        .groups_names
        .into_iter()
        .map(|group| (group.detached(), broker.ask_group(&group, Request::Delete)))
        .collect::<Vec<_>>();
    later(caller, async move {
        let mut results = Vec::with_capacity(asked.len());
        for (group_id, asked) in asked {
            let outcome = answered(asked.answer().await, |answer| match answer {
                Answer::Delete(outcome) => Some(outcome),
                _ => None,
            });
            let error_code = outcome.map_or_else(|refusal| refusal.code(), |()| ErrorCode::NONE);
            results.push(DeletableGroupResult { group_id, error_code });
        }
        DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() }
    })
}
