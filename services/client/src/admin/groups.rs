//! Groups of both kinds: list, describe, delete.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_types::NodeId;
use aquifer_wire::messages::consumer_group_describe_response::{Assignment, DescribedGroup};
use aquifer_wire::messages::describe_groups_response::DescribedGroup as DescribedClassicGroup;
use aquifer_wire::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, ListGroupsRequest,
};
use aquifer_wire::{ErrorCode, Request, Text};

use crate::classic_assignment::assigned_partitions;
use crate::client::Client;
use crate::error::ClientError;

const GROUP_KEY: i8 = 0;

/// Which protocol a group's members speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupKind {
    Classic,
    Consumer,
    Other,
}

/// A group as its coordinator lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    pub id: String,
    pub kind: GroupKind,
    /// `consumer` for groups of consumers, others' own words otherwise; empty where nothing but offsets is there.
    pub protocol_type: String,
    pub state: String,
    pub coordinator: NodeId,
}

/// A group with its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    pub id: String,
    pub kind: GroupKind,
    pub state: String,
    /// How partitions are shared out.
    pub assignor: String,
    /// Of the consumer protocol.
    pub epoch: Option<i32>,
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    pub id: String,
    pub instance_id: Option<String>,
    pub client_id: String,
    pub host: String,
    pub epoch: Option<i32>,
    /// By topic; empty where the group is not one of consumers.
    pub assigned: BTreeMap<String, BTreeSet<i32>>,
}

impl GroupKind {
    /// A word for people and scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            GroupKind::Classic => "classic",
            GroupKind::Consumer => "consumer",
            GroupKind::Other => "other",
        }
    }
}

impl GroupDescription {
    /// Whether nobody is in it, so that its offsets may be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

impl Client {
    /// The broker that coordinates a group.
    pub async fn coordinator(&self, group: &str) -> Result<NodeId, ClientError> {
        let mut retry = self.retry();
        loop {
            match self.coordinator_once(group).await {
                Ok(node) => return Ok(node),
                Err(error) => retry.after(error, None).await?,
            }
        }
    }

    async fn coordinator_once(&self, group: &str) -> Result<NodeId, ClientError> {
        let connection = self.any_connection().await?;
        let batched = connection.version::<FindCoordinatorRequest>()? >= 4;
        let key = Text::from(group);
        let request = FindCoordinatorRequest {
            key: if batched { Text::EMPTY } else { key.clone() },
            key_type: GROUP_KEY,
            coordinator_keys: if batched { vec![key] } else { Vec::new() },
        };
        let response = connection.call(&request).await?;
        let (node, host, port) = match response.coordinators.first() {
            Some(found) => {
                ClientError::check(found.error_code, found.error_message.as_ref())?;
                (found.node_id, &found.host, found.port)
            }
            None => {
                ClientError::check(response.error_code, response.error_message.as_ref())?;
                (response.node_id, &response.host, response.port)
            }
        };
        self.learn_brokers([(node, host.as_str(), port)]);
        self.coordinators().learn(group, NodeId(node));
        Ok(NodeId(node))
    }

    /// Asks a group's coordinator, finding it again where it is another or still loading; `check` finds the error in the
    /// answer.
    pub(crate) async fn ask_coordinator<R: Request>(
        &self,
        group: &str,
        request: &R,
        check: impl Fn(&R::Response) -> Result<(), ClientError>,
    ) -> Result<R::Response, ClientError> {
        let mut retry = self.retry();
        loop {
            let asked = async {
                let known = self.coordinators().of(group);
                let node = match known {
                    Some(node) => node,
                    None => self.coordinator_once(group).await?,
                };
                let response = self.call(node, request).await?;
                check(&response)?;
                Ok::<_, ClientError>(response)
            };
            match asked.await {
                Ok(response) => return Ok(response),
                Err(error) => {
                    if error.retriable() {
                        self.coordinators().forget(group);
                    }
                    retry.after(error, None).await?;
                }
            }
        }
    }

    /// One heartbeat of a member of a group with the newer protocol, for whoever keeps the membership itself.
    pub async fn group_heartbeat(
        &self,
        heartbeat: &ConsumerGroupHeartbeatRequest,
    ) -> Result<ConsumerGroupHeartbeatResponse, ClientError> {
        let group = heartbeat.group_id.as_str();
        self.ask_coordinator(group, heartbeat, |response| {
            ClientError::check(response.error_code, response.error_message.as_ref())
        })
        .await
    }

    /// All groups of all brokers.
    pub async fn groups(&self) -> Result<Vec<GroupListing>, ClientError> {
        let cluster = self.describe_cluster().await?;
        let mut groups = Vec::new();
        for broker in cluster.brokers.iter().filter(|broker| !broker.is_fenced) {
            groups.extend(self.groups_of(broker.node).await?);
        }
        groups.sort_by(|left, right| left.id.cmp(&right.id));
        Ok(groups)
    }

    async fn groups_of(&self, node: NodeId) -> Result<Vec<GroupListing>, ClientError> {
        let mut retry = self.retry();
        let response = loop {
            let asked = self.call(node, &ListGroupsRequest::default()).await;
            let checked = asked.and_then(|response| {
                ClientError::check(response.error_code, None)?;
                Ok(response)
            });
            match checked {
                Ok(response) => break response,
                Err(error) => retry.after(error, None).await?,
            }
        };
        let listed = response.groups.iter().map(|group| GroupListing {
            id: group.group_id.to_string(),
            kind: kind(&group.group_type),
            protocol_type: group.protocol_type.to_string(),
            state: group.group_state.to_string(),
            coordinator: node,
        });
        Ok(listed.collect())
    }

    /// One group, of whichever kind. One that is not there is an error.
    pub async fn describe_group(&self, group: &str) -> Result<GroupDescription, ClientError> {
        match self.describe_consumer_group(group).await {
            Err(error) if is_of_another_kind(&error) => self.describe_classic_group(group).await,
            described => described,
        }
    }

    async fn describe_consumer_group(&self, group: &str) -> Result<GroupDescription, ClientError> {
        let request = ConsumerGroupDescribeRequest {
            group_ids: vec![Text::from(group)],
            include_authorized_operations: false,
        };
        let response = self
            .ask_coordinator(group, &request, |response| {
                let found = response.groups.first().ok_or(ClientError::Incomplete("the group"))?;
                ClientError::check(found.error_code, found.error_message.as_ref())
            })
            .await?;
        let found = response.groups.first().ok_or(ClientError::Incomplete("the group"))?;
        Ok(of_consumers(found))
    }

    async fn describe_classic_group(&self, group: &str) -> Result<GroupDescription, ClientError> {
        let request =
            DescribeGroupsRequest { groups: vec![Text::from(group)], include_authorized_operations: false };
        let response = self
            .ask_coordinator(group, &request, |response| {
                let found = response.groups.first().ok_or(ClientError::Incomplete("the group"))?;
                ClientError::check(found.error_code, found.error_message.as_ref())
            })
            .await?;
        let found = response.groups.first().ok_or(ClientError::Incomplete("the group"))?;
        if found.group_state == *"Dead" {
            return Err(ClientError::Refused { code: ErrorCode::GROUP_ID_NOT_FOUND, message: None });
        }
        Ok(classic(found))
    }

    /// Deletes a group with its offsets; one with members is refused.
    pub async fn delete_group(&self, group: &str) -> Result<(), ClientError> {
        let request = DeleteGroupsRequest { groups_names: vec![Text::from(group)] };
        self.ask_coordinator(group, &request, |response| {
            let deleted = response.results.first().ok_or(ClientError::Incomplete("the group"))?;
            ClientError::check(deleted.error_code, None)
        })
        .await?;
        Ok(())
    }
}

/// Brokers that do not know the newer protocol, and groups that do not speak it.
fn is_of_another_kind(error: &ClientError) -> bool {
    matches!(error.code(), Some(ErrorCode::GROUP_ID_NOT_FOUND | ErrorCode::UNSUPPORTED_VERSION))
        || error.is_unsupported()
}

fn kind(name: &str) -> GroupKind {
    match name {
        "classic" | "Classic" | "" => GroupKind::Classic,
        "consumer" | "Consumer" => GroupKind::Consumer,
        _ => GroupKind::Other,
    }
}

fn of_consumers(group: &DescribedGroup) -> GroupDescription {
    let members = group.members.iter().map(|member| GroupMember {
        id: member.member_id.to_string(),
        instance_id: member.instance_id.as_ref().map(Text::to_string),
        client_id: member.client_id.to_string(),
        host: member.client_host.to_string(),
        epoch: Some(member.member_epoch),
        assigned: assigned(&member.assignment),
    });
    GroupDescription {
        id: group.group_id.to_string(),
        kind: GroupKind::Consumer,
        state: group.group_state.to_string(),
        assignor: group.assignor_name.to_string(),
        epoch: Some(group.group_epoch),
        members: members.collect(),
    }
}

fn assigned(assignment: &Assignment) -> BTreeMap<String, BTreeSet<i32>> {
    let topics = assignment.topic_partitions.iter();
    topics.map(|topic| (topic.topic_name.to_string(), topic.partitions.iter().copied().collect())).collect()
}

fn classic(group: &DescribedClassicGroup) -> GroupDescription {
    let is_of_consumers = group.protocol_type == *"consumer";
    let members = group.members.iter().map(|member| GroupMember {
        id: member.member_id.to_string(),
        instance_id: member.group_instance_id.as_ref().map(Text::to_string),
        client_id: member.client_id.to_string(),
        host: member.client_host.to_string(),
        epoch: None,
        assigned: match is_of_consumers {
            true => assigned_partitions(&member.member_assignment).unwrap_or_default(),
            false => BTreeMap::new(),
        },
    });
    GroupDescription {
        id: group.group_id.to_string(),
        kind: GroupKind::Classic,
        state: group.group_state.to_string(),
        assignor: group.protocol_data.to_string(),
        epoch: None,
        members: members.collect(),
    }
}
