//! Consumer groups: who is in them, how far they are, and where they are to go on.

use aquifer_gateway::{Code, GroupDescription, GroupListing, GroupMember, Lag, Reset, ResetOffset};
use aquifer_types::PartitionIndex;
use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::produce::read_json;
use super::session_shapes::{TextOrNumber, TopicPartition};
use super::topics::PageQuery;
use crate::body::{must_be, take};
use crate::caller::Caller;
use crate::extract::{Asked, Named};
use crate::problem::{Problem, Refused};
use crate::record::Number;

/// A group as it is listed.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedGroup {
    group: String,
    /// Which protocol its members speak: `consumer`, `classic`, `other`. More may come.
    kind: String,
    /// As its coordinator names it, for instance `Stable`, `Empty`, `Reconciling`.
    state: String,
    /// `consumer` for groups of consumers; empty where nothing but offsets is there.
    protocol_type: String,
}

/// Groups by name.
#[derive(Serialize, ToSchema)]
pub(crate) struct GroupPage {
    items: Vec<ListedGroup>,
    /// Absent on the last page.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A group with its members.
#[derive(Serialize, ToSchema)]
pub(crate) struct Group {
    group: String,
    kind: String,
    state: String,
    /// How partitions are shared out.
    assignor: String,
    /// Of the consumer protocol.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<i32>,
    members: Vec<Member>,
}

/// A member of a group.
#[derive(Serialize, ToSchema)]
pub(crate) struct Member {
    member_id: String,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<String>,
    client_id: String,
    host: String,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<i32>,
    assigned: Vec<TopicPartition>,
}

/// Members of a group.
#[derive(Serialize, ToSchema)]
pub(crate) struct MemberPage {
    items: Vec<Member>,
}

/// How far a group is in a partition.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartitionLag {
    topic: String,
    partition: i32,
    /// Absent where the group has none.
    #[schema(value_type = Option<String>, nullable = false, pattern = "^[0-9]+$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<Number>,
    /// Behind the last record that consumers see; absent while nobody leads the partition.
    #[schema(value_type = Option<String>, nullable = false, pattern = "^[0-9]+$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    end_offset: Option<Number>,
    #[schema(value_type = Option<String>, nullable = false, pattern = "^[0-9]+$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    lag: Option<Number>,
    /// Who reads it.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    member_id: Option<String>,
}

/// How far a group is.
#[derive(Serialize, ToSchema)]
pub(crate) struct GroupLag {
    items: Vec<PartitionLag>,
    /// Of the partitions whose lag is known.
    #[schema(value_type = String, pattern = "^[0-9]+$")]
    total_lag: Number,
}

/// What a group has committed in a partition.
#[derive(Serialize, ToSchema)]
pub(crate) struct CommittedOffset {
    topic: String,
    partition: i32,
    #[schema(value_type = String, pattern = "^[0-9]+$")]
    offset: Number,
    /// What the consumer wrote beside it.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<String>,
}

/// What a group has committed.
#[derive(Serialize, ToSchema)]
pub(crate) struct CommittedPage {
    items: Vec<CommittedOffset>,
}

/// Where a group is to go on. Without topics and partitions in everything that it has offsets of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetOffsetsRequest {
    /// In all partitions of these.
    #[serde(default)]
    topics: Vec<String>,
    #[serde(default)]
    partitions: Vec<NamedPartition>,
    /// `earliest`, `latest`, an offset, `-N` (so many before the end), or `@` and a time of RFC 3339.
    #[schema(value_type = String)]
    to: TextOrNumber,
    /// Only say what would be done.
    #[serde(default)]
    #[schema(default = false)]
    dry_run: bool,
}

/// A partition as a request names it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedPartition {
    topic: String,
    partition: i32,
}

/// What was done, or would be.
#[derive(Serialize, ToSchema)]
pub(crate) struct ResetOffsetsResponse {
    dry_run: bool,
    items: Vec<ResetPartition>,
}

/// A partition whose offset moves.
#[derive(Serialize, ToSchema)]
pub(crate) struct ResetPartition {
    topic: String,
    partition: i32,
    /// Absent where the group had none.
    #[schema(value_type = Option<String>, nullable = false, pattern = "^[0-9]+$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Number>,
    #[schema(value_type = String, pattern = "^[0-9]+$")]
    offset: Number,
    #[schema(value_type = String, pattern = "^[0-9]+$")]
    lag: Number,
}

impl From<GroupListing> for ListedGroup {
    fn from(listed: GroupListing) -> ListedGroup {
        let GroupListing { id, kind, protocol_type, state, .. } = listed;
        ListedGroup { group: id, kind: kind.name().to_owned(), state, protocol_type }
    }
}

impl From<GroupDescription> for Group {
    fn from(described: GroupDescription) -> Group {
        Group {
            group: described.id,
            kind: described.kind.name().to_owned(),
            state: described.state,
            assignor: described.assignor,
            epoch: described.epoch,
            members: described.members.into_iter().map(Member::from).collect(),
        }
    }
}

impl From<GroupMember> for Member {
    fn from(member: GroupMember) -> Member {
        let assigned = member.assigned.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(|index| TopicPartition { topic: topic.clone(), partition: *index })
        });
        Member {
            assigned: assigned.collect(),
            member_id: member.id,
            instance_id: member.instance_id,
            client_id: member.client_id,
            host: member.host,
            epoch: member.epoch,
        }
    }
}

impl From<Lag> for PartitionLag {
    fn from(lag: Lag) -> PartitionLag {
        PartitionLag {
            topic: lag.place.0.to_string(),
            partition: lag.place.1.0,
            offset: lag.offset.map(|offset| Number(offset.0)),
            end_offset: lag.end.map(|end| Number(end.0)),
            lag: lag.records().map(Number),
            member_id: lag.member,
        }
    }
}

impl From<ResetOffset> for ResetPartition {
    fn from(reset: ResetOffset) -> ResetPartition {
        ResetPartition {
            topic: reset.place.0.to_string(),
            partition: reset.place.1.0,
            before: reset.before.map(|before| Number(before.0)),
            offset: Number(reset.offset.0),
            lag: Number(reset.end.since(reset.offset)),
        }
    }
}

/// List groups
#[utoipa::path(
    get, path = "/v1/groups", operation_id = "listGroups", tag = "groups", params(PageQuery),
    responses(
        (status = 200, description = "Groups by name", body = GroupPage),
    ),
)]
pub(crate) async fn list_groups(
    Caller { door, .. }: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<GroupPage>, Refused> {
    let (items, next_page_token) = query.of(door.gateway.groups().await?, |group| &group.id)?;
    Ok(Json(GroupPage { items: items.into_iter().map(ListedGroup::from).collect(), next_page_token }))
}

/// Look at a group
#[utoipa::path(
    get, path = "/v1/groups/{group}", operation_id = "getGroup", tag = "groups",
    params(("group" = String, Path, description = "The group's name")),
    responses(
        (status = 200, description = "The group with its members", body = Group),
        (status = 404, description = "The group is not there", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_group(
    Caller { door, .. }: Caller,
    Named(group): Named<String>,
) -> Result<Json<Group>, Refused> {
    Ok(Json(door.gateway.group(&group).await?.into()))
}

/// List a group's members
#[utoipa::path(
    get, path = "/v1/groups/{group}/members", operation_id = "listGroupMembers", tag = "groups",
    params(("group" = String, Path, description = "The group's name")),
    responses(
        (status = 200, description = "The group's members", body = MemberPage),
        (status = 404, description = "The group is not there", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_group_members(
    Caller { door, .. }: Caller,
    Named(group): Named<String>,
) -> Result<Json<MemberPage>, Refused> {
    let members = door.gateway.group(&group).await?.members;
    Ok(Json(MemberPage { items: members.into_iter().map(Member::from).collect() }))
}

/// Tell how far a group is
#[utoipa::path(
    get, path = "/v1/groups/{group}/lag", operation_id = "getGroupLag", tag = "groups",
    params(("group" = String, Path, description = "The group's name")),
    responses(
        (status = 200, description = "Each partition that the group reads or has an offset of", body = GroupLag),
        (status = 404, description = "The group is not there", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_group_lag(
    Caller { door, .. }: Caller,
    Named(group): Named<String>,
) -> Result<Json<GroupLag>, Refused> {
    let lags = door.gateway.group_lag(&group).await?;
    let total_lag = Number(lags.iter().filter_map(Lag::records).sum());
    Ok(Json(GroupLag { items: lags.into_iter().map(PartitionLag::from).collect(), total_lag }))
}

/// List what a group has committed
#[utoipa::path(
    get, path = "/v1/groups/{group}/offsets", operation_id = "listGroupOffsets", tag = "groups",
    params(("group" = String, Path, description = "The group's name")),
    responses(
        (status = 200, description = "The group's offsets", body = CommittedPage),
        (status = 404, description = "The group is not there", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_group_offsets(
    Caller { door, .. }: Caller,
    Named(group): Named<String>,
) -> Result<Json<CommittedPage>, Refused> {
    let offsets = door.gateway.group_offsets(&group).await?;
    let items = offsets.into_iter().map(|((topic, partition), committed)| CommittedOffset {
        topic: topic.to_string(),
        partition: partition.0,
        offset: Number(committed.offset.0),
        metadata: Some(committed.metadata).filter(|metadata| !metadata.is_empty()),
    });
    Ok(Json(CommittedPage { items: items.collect() }))
}

/// Move a group's offsets
///
/// Refused while the group has members. With `dry_run` nothing is done, and the answer says what would be.
#[utoipa::path(
    post, path = "/v1/groups/{group}/offsets:reset", operation_id = "resetGroupOffsets", tag = "groups",
    params(("group" = String, Path, description = "The group's name")),
    request_body(content = ResetOffsetsRequest, content_type = "application/json", description = "Where the group is to go on"),
    responses(
        (status = 200, description = "What was done, or would be", body = ResetOffsetsResponse),
        (status = 409, description = "The group has members", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn reset_group_offsets(
    Caller { door, .. }: Caller,
    Named(group): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ResetOffsetsResponse>, Refused> {
    must_be(&headers, "application/json")?;
    let taken = take(&door, &headers, body).await?;
    let wanted: ResetOffsetsRequest = read_json(&taken.bytes)?;
    let places = wanted.partitions.into_iter();
    let places = places.map(|named| (named.topic.as_str().into(), PartitionIndex(named.partition))).collect();
    let to = wanted.to.place()?;
    let reset = Reset { topics: wanted.topics, places, to, dry_run: wanted.dry_run };
    let moved = door.gateway.reset_group(&group, &reset).await?;
    let items = moved.into_iter().map(ResetPartition::from).collect();
    Ok(Json(ResetOffsetsResponse { dry_run: wanted.dry_run, items }))
}

/// Delete a group with its offsets
///
/// Refused while the group has members.
#[utoipa::path(
    delete, path = "/v1/groups/{group}", operation_id = "deleteGroup", tag = "groups",
    params(("group" = String, Path, description = "The group's name")),
    responses(
        (status = 204, description = "The group is gone"),
        (status = 404, description = "The group is not there", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The group has members", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete_group(
    Caller { door, .. }: Caller,
    Named(group): Named<String>,
) -> Result<StatusCode, Refused> {
    if group.is_empty() {
        return Err(Refused::new(Code::InvalidGroup, "the group has no name"));
    }
    door.gateway.delete_group(&group).await?;
    Ok(StatusCode::NO_CONTENT)
}
