//! DescribeGroups: classic groups as administrators see them.

use std::sync::Arc;

use aquifer_coordinator::Asked;
use aquifer_group::{Answer, Refusal, Request};
use aquifer_net::Call;
use aquifer_wire::Text;
use aquifer_wire::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use aquifer_wire::messages::{DescribeGroupsRequest, DescribeGroupsResponse};

use super::route::sent;
use super::too_many;
use crate::api::later;
use crate::api::operations::GROUP_OPERATIONS;
use crate::broker::Broker;
use crate::refusal::{GroupRefusal, answered};
use crate::service::Caller;

/// From this version on a group that is not there is an error, and not a dead group.
const NOT_FOUND_FROM: i16 = 6;

pub(crate) fn describe_groups(broker: &Arc<Broker>, caller: Caller, request: DescribeGroupsRequest) -> Call {
    if let Some(closed) = too_many(&caller, request.groups.len()) {
        return closed;
    }
    let version = caller.version;
    let operations = if request.include_authorized_operations { GROUP_OPERATIONS } else { i32::MIN };
    let asked = request
        .groups
        .into_iter()
        .map(|group| (group.detached(), broker.ask_group(&group, Request::Describe)))
        .collect::<Vec<_>>();
    later(caller, async move {
        let mut groups = Vec::with_capacity(asked.len());
        for (group_id, asked) in asked {
            groups.push(describe(version, operations, group_id, asked).await);
        }
        DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() }
    })
}

async fn describe(version: i16, operations: i32, group_id: Text, asked: Asked) -> DescribedGroup {
    let described = answered(asked.answer().await, |answer| match answer {
        Answer::Describe(described) => Some(described),
        _ => None,
    });
    let empty = DescribedGroup { group_id, ..DescribedGroup::default() };
    match described {
        Ok(described) => DescribedGroup {
            group_state: Text::from_static(described.state),
            protocol_type: Text::from(&*described.protocol_type),
            protocol_data: Text::from(&*described.protocol),
            members: described.members.iter().map(member).collect(),
            authorized_operations: operations,
            ..empty
        },
        Err(GroupRefusal::Refused(Refusal::GroupIdNotFound)) if version < NOT_FOUND_FROM => {
            const DEAD: Text = Text::from_static("Dead");
            DescribedGroup { group_state: DEAD, authorized_operations: operations, ..empty }
        }
        Err(refusal) => DescribedGroup {
            error_code: refusal.code(),
            error_message: (version >= NOT_FOUND_FROM).then(|| Text::from(refusal.to_string())),
            ..empty
        },
    }
}

fn member(member: &aquifer_group::DescribedMember) -> DescribedGroupMember {
    DescribedGroupMember {
        member_id: Text::from(member.id.as_str()),
        group_instance_id: member.instance.as_ref().map(|name| Text::from(name.as_str())),
        client_id: Text::from(&*member.client_id),
        client_host: Text::from(&*member.client_host),
        member_metadata: sent(&member.metadata),
        member_assignment: sent(&member.assignment),
    }
}
