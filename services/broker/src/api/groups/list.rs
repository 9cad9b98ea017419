//! ListGroups: the groups that this broker coordinates.

use std::sync::Arc;

use aquifer_coordinator::Unavailable;
use aquifer_group::{Answer, ListFilter};
use aquifer_net::Call;
use aquifer_wire::messages::list_groups_response::ListedGroup;
use aquifer_wire::messages::{ListGroupsRequest, ListGroupsResponse};
use aquifer_wire::{ErrorCode, Text};

use super::route::kept;
use crate::api::later;
use crate::broker::Broker;
use crate::service::Caller;

pub(crate) fn list_groups(broker: &Arc<Broker>, caller: Caller, request: &ListGroupsRequest) -> Call {
    let filter = ListFilter {
        states: request.states_filter.iter().map(kept).collect(),
        types: request.types_filter.iter().map(kept).collect(),
    };
    let asked = broker.coordinator.list(&filter);
    later(caller, async move {
        let mut response = ListGroupsResponse::default();
        for asked in asked {
            match asked.answer().await {
                Ok(Answer::List(listed)) => {
                    response.groups.extend(listed.into_iter().map(|listed| ListedGroup {
                        group_id: Text::from(listed.group.as_str()),
                        protocol_type: Text::from(&*listed.protocol_type),
                        group_state: Text::from_static(listed.state),
                        group_type: Text::from_static(listed.group_type),
                    }));
                }
                // A shard that ended while it was asked belongs to another broker's list.
                Ok(_) | Err(Unavailable::NotHere | Unavailable::ReadOnly) => {}
                // Whoever reads a list that is not whole must know.
                Err(Unavailable::Loading | Unavailable::CannotStore) => {
                    response.error_code = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
                }
            }
        }
        response
    })
}
