//! Sessions: members of consumer groups that any gateway serves.

use std::time::Duration;

use aquifer_gateway::{
    Code, From, Held, Moved, NewSession, Place, PollRequest as Poll, ReadLimits, Target, time_text,
};
use aquifer_types::TimestampMs;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::produce::read_json;
use super::read::{BYTES_MAX, WAIT_MAX};
use crate::body::{must_be, take};
use crate::caller::Caller;
use crate::door::Door;
use crate::extract::Named;
use crate::problem::{Problem, Refused};
use crate::record::{Number, Shown, Values};

const RECORDS: usize = 500;
const RECORDS_MAX: usize = 10_000;
const BYTES: usize = 4 * 1024 * 1024;

/// A partition of a topic.
#[derive(Serialize, ToSchema)]
pub(crate) struct TopicPartition {
    pub(crate) topic: String,
    pub(crate) partition: i32,
}

/// An offset in a partition.
#[derive(Serialize, ToSchema)]
pub(crate) struct TopicPartitionOffset {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    #[schema(value_type = String, pattern = "^[0-9]+$", example = "12")]
    pub(crate) offset: Number,
}

/// A session to be opened.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenSessionRequest {
    topics: Vec<String>,
    /// Where to begin where the group has no offset: `earliest`, `latest`, or `@` and a time of RFC 3339.
    #[serde(default)]
    #[schema(nullable = false, default = "earliest")]
    from: Option<String>,
    /// How long the session lives without a request, from 10000 to 1800000; the answer says what is in force.
    #[serde(default)]
    #[schema(value_type = Option<i32>, nullable = false, default = 60_000)]
    ttl_ms: Option<u64>,
    /// Who opens again under this id gets the same member of the group, not another one.
    #[serde(default)]
    #[schema(nullable = false)]
    session_id: Option<String>,
    /// A static member's name: its partitions wait for it while it is away, for as long as the session lives.
    #[serde(default)]
    #[schema(nullable = false)]
    instance_id: Option<String>,
}

/// A session that was opened.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenSessionResponse {
    /// The session: sent with its requests, to any gateway. Every answer brings a newer one.
    token: String,
    member_id: String,
    /// How long it lives without a request. Less than was asked for where the cluster does not let members choose.
    ttl_ms: i32,
    expires_at: String,
}

/// What a session acknowledges, and how much it wants.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PollSessionRequest {
    token: String,
    /// Commits what was read before this cursor.
    #[serde(default)]
    #[schema(nullable = false)]
    ack: Option<String>,
    /// Reads on from this cursor; from `ack` if absent, and without both from what is committed.
    #[serde(default)]
    #[schema(nullable = false)]
    after: Option<String>,
    /// At most 10000.
    #[serde(default)]
    #[schema(nullable = false, default = 500)]
    max_records: Option<usize>,
    /// Of keys, values and headers; the first record comes however large it is. At most 33554432.
    #[serde(default)]
    #[schema(nullable = false, default = 4_194_304)]
    max_bytes: Option<usize>,
    /// How long to wait for the first record. At most 60000, and half of the session's `ttl_ms`.
    #[serde(default)]
    #[schema(value_type = Option<i32>, nullable = false, default = 0)]
    wait_ms: Option<u64>,
    #[serde(default)]
    #[schema(nullable = false)]
    values: Option<Values>,
}

/// Records, what the session owns, and what to send next.
#[derive(ToSchema)]
#[allow(dead_code, reason = "written by hand, record by record; this is its schema")]
pub(crate) struct PollSessionResponse {
    #[schema(value_type = Vec<Shown<'static>>)]
    records: Vec<()>,
    /// Behind the records: the `ack` of the next request once they are dealt with, or its `after` to read ahead.
    cursor: String,
    token: String,
    expires_at: String,
    /// Everything that the session owns.
    assigned: Vec<TopicPartition>,
    /// What the session owned and lost, or got back after others had it: what was read of it and is not acknowledged yet
    /// comes again, here or elsewhere.
    revoked: Vec<TopicPartition>,
    /// Positions that retention removed, and where reading goes on.
    moved: Vec<MovedPosition>,
    /// Whether this gateway is about to stop, so that the next request is better sent on a new connection.
    reconnect: bool,
}

/// The same behind the records.
#[derive(Serialize)]
struct BehindRecords {
    cursor: String,
    token: String,
    expires_at: String,
    assigned: Vec<TopicPartition>,
    revoked: Vec<TopicPartition>,
    moved: Vec<MovedPosition>,
    reconnect: bool,
}

/// A position that was not in its partition any more.
#[derive(Serialize, ToSchema)]
pub(crate) struct MovedPosition {
    topic: String,
    partition: i32,
    #[schema(value_type = String, pattern = "^[0-9]+$")]
    from: Number,
    #[schema(value_type = String, pattern = "^[0-9]+$")]
    to: Number,
}

/// What a session acknowledges.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommitSessionRequest {
    token: String,
    /// Commits what was read before this cursor.
    ack: String,
}

/// Where the group stands after an acknowledgement.
#[derive(Serialize, ToSchema)]
pub(crate) struct CommitSessionResponse {
    token: String,
    expires_at: String,
    /// Where the group stands in what was acknowledged. Partitions that the session lost are not among them.
    committed: Vec<TopicPartitionOffset>,
    assigned: Vec<TopicPartition>,
    revoked: Vec<TopicPartition>,
}

/// A session to be closed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseSessionRequest {
    token: String,
    /// Commits what was read before this cursor, then leaves.
    #[serde(default)]
    #[schema(nullable = false)]
    ack: Option<String>,
}

/// Where the group stands after a session's last acknowledgement.
#[derive(Serialize, ToSchema)]
pub(crate) struct CloseSessionResponse {
    committed: Vec<TopicPartitionOffset>,
}

/// Where a session is to go on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeekSessionRequest {
    token: String,
    /// Where it goes on in partitions that are not named.
    #[serde(default)]
    #[schema(nullable = false)]
    after: Option<String>,
    positions: Vec<SeekPosition>,
}

/// Where to go on in a partition.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeekPosition {
    topic: String,
    /// All that the session owns of the topic if absent.
    #[serde(default)]
    #[schema(nullable = false)]
    partition: Option<i32>,
    /// `earliest`, `latest`, an offset, `-N`, `@` and a time of RFC 3339, or a cursor of the topic.
    #[schema(value_type = String)]
    from: TextOrNumber,
}

/// Text, or a whole number in its place.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum TextOrNumber {
    Text(String),
    Number(i64),
}

/// A cursor that reads on elsewhere.
#[derive(Serialize, ToSchema)]
pub(crate) struct SeekSessionResponse {
    /// The `after` of the next poll.
    cursor: String,
    token: String,
    expires_at: String,
    assigned: Vec<TopicPartition>,
    revoked: Vec<TopicPartition>,
}

impl TextOrNumber {
    pub(crate) fn place(&self) -> Result<From, Refused> {
        let text = match self {
            TextOrNumber::Text(text) => text.parse(),
            TextOrNumber::Number(number) => number.to_string().parse(),
        };
        text.map_err(|error: aquifer_gateway::InvalidFrom| {
            Refused::new(Code::InvalidPosition, error.to_string())
        })
    }
}

pub(crate) fn partitions(places: Vec<Place>) -> Vec<TopicPartition> {
    let all = places.into_iter();
    all.map(|(topic, partition)| TopicPartition { topic: topic.to_string(), partition: partition.0 })
        .collect()
}

fn offsets(committed: Vec<(Place, aquifer_types::Offset)>) -> Vec<TopicPartitionOffset> {
    let all = committed.into_iter().map(|((topic, partition), offset)| TopicPartitionOffset {
        topic: topic.to_string(),
        partition: partition.0,
        offset: Number(offset.0),
    });
    all.collect()
}

fn moment(time: TimestampMs) -> String {
    time_text(time).unwrap_or_default()
}

impl PollSessionRequest {
    fn limits(&self) -> Result<ReadLimits, Refused> {
        let positive = |name: &str, value: Option<usize>, default: usize| match value {
            Some(0) => Err(Refused::new(Code::InvalidParameter, format!("{name} is 0"))),
            value => Ok(value.unwrap_or(default)),
        };
        Ok(ReadLimits {
            bytes_max: positive("max_bytes", self.max_bytes, BYTES)?.min(BYTES_MAX),
            records_max: positive("max_records", self.max_records, RECORDS)?.min(RECORDS_MAX),
            wait: Duration::from_millis(self.wait_ms.unwrap_or(0)).min(WAIT_MAX),
        })
    }
}

impl BehindRecords {
    fn new(held: Held, moved: &[Moved], reconnect: bool) -> BehindRecords {
        let moved = moved.iter().map(|moved| MovedPosition {
            topic: moved.place.0.to_string(),
            partition: moved.place.1.0,
            from: Number(moved.from.0),
            to: Number(moved.to.0),
        });
        BehindRecords {
            cursor: held.cursor,
            token: held.token,
            expires_at: moment(held.expires_at),
            assigned: partitions(held.assigned),
            revoked: partitions(held.revoked),
            moved: moved.collect(),
            reconnect,
        }
    }
}

/// Open a session of a group
///
/// Joins the group. The session is in the token: nothing of it stays at this gateway, and any other serves it.
#[utoipa::path(
    post, path = "/v1/groups/{group}/sessions", operation_id = "openSession", tag = "sessions",
    params(("group" = String, Path, description = "The group's name")),
    request_body(content = OpenSessionRequest, content_type = "application/json", description = "What the session reads"),
    responses(
        (status = 200, description = "The session is open", body = OpenSessionResponse),
        (status = 404, description = "A topic is not there", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn open_session(
    State(door): State<Door>,
    Caller(caller): Caller,
    Named(group): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<OpenSessionResponse>, Refused> {
    must_be(&headers, "application/json")?;
    let taken = take(&door.gateway, &headers, body).await?;
    let wanted: OpenSessionRequest = read_json(&taken.bytes)?;
    let from = TextOrNumber::Text(wanted.from.unwrap_or_else(|| "earliest".to_owned())).place()?;
    let new = NewSession {
        group,
        topics: wanted.topics,
        from,
        ttl: wanted.ttl_ms.map(Duration::from_millis),
        session_id: wanted.session_id,
        instance_id: wanted.instance_id,
    };
    let opened = door.gateway.open_session(&caller, &new).await?;
    Ok(Json(OpenSessionResponse {
        token: opened.token,
        member_id: opened.member,
        ttl_ms: opened.ttl_ms,
        expires_at: moment(opened.expires_at),
    }))
}

/// Acknowledge, and read on
///
/// The same request again brings the same records, so a lost answer loses nothing: ask again with the same token and
/// cursors. The session loses partitions only in answers, which name them under `revoked`.
#[utoipa::path(
    post, path = "/v1/sessions:poll", operation_id = "pollSession", tag = "sessions",
    request_body(content = PollSessionRequest, content_type = "application/json", description = "What was dealt with, and how much to read"),
    responses(
        (status = 200, description = "Records, none if there were none in time", body = PollSessionResponse),
        (status = 409, description = "The cursor is of another group, or the member is contended for", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "The session is over", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn poll_session(
    State(door): State<Door>,
    Caller(caller): Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    must_be(&headers, "application/json")?;
    let taken = take(&door.gateway, &headers, body).await?;
    let wanted: PollSessionRequest = read_json(&taken.bytes)?;
    // A poll that waits holds no room for a body that is read.
    drop(taken);
    let limits = wanted.limits()?;
    let poll =
        Poll { token: &wanted.token, ack: wanted.ack.as_deref(), after: wanted.after.as_deref(), limits };
    let mut polled = door.gateway.poll_session(&caller, &poll).await?;
    let values = wanted.values.unwrap_or_default();
    let mut body = Vec::with_capacity(1024);
    body.extend_from_slice(b"{\"records\":[");
    let mut count = 0_usize;
    polled.take(|(topic, partition), record| {
        if count > 0 {
            body.push(b',');
        }
        count += 1;
        Shown::new(topic, partition.0, record, values).write(&mut body);
    })?;
    let rest = BehindRecords::new(polled.held(), &polled.moved, polled.is_draining());
    let rest = serde_json::to_vec(&rest).map_err(|error| Refused::new(Code::Internal, error.to_string()))?;
    body.extend_from_slice(b"],");
    body.extend_from_slice(rest.get(1..).unwrap_or_default());
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, body).into_response())
}

/// Acknowledge without reading
#[utoipa::path(
    post, path = "/v1/sessions:commit", operation_id = "commitSession", tag = "sessions",
    request_body(content = CommitSessionRequest, content_type = "application/json", description = "What was dealt with"),
    responses(
        (status = 200, description = "What is committed", body = CommitSessionResponse),
        (status = 410, description = "The session is over", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn commit_session(
    State(door): State<Door>,
    Caller(caller): Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CommitSessionResponse>, Refused> {
    must_be(&headers, "application/json")?;
    let taken = take(&door.gateway, &headers, body).await?;
    let wanted: CommitSessionRequest = read_json(&taken.bytes)?;
    let told = door.gateway.commit_session(&caller, &wanted.token, &wanted.ack).await?;
    Ok(Json(CommitSessionResponse {
        token: told.held.token,
        expires_at: moment(told.held.expires_at),
        committed: offsets(told.committed),
        assigned: partitions(told.held.assigned),
        revoked: partitions(told.held.revoked),
    }))
}

/// Go on elsewhere
///
/// Answers with a cursor; the next poll reads on from it if it is sent as `after`.
#[utoipa::path(
    post, path = "/v1/sessions:seek", operation_id = "seekSession", tag = "sessions",
    request_body(content = SeekSessionRequest, content_type = "application/json", description = "Where to go on"),
    responses(
        (status = 200, description = "A cursor that reads on there", body = SeekSessionResponse),
        (status = 409, description = "The session does not own the partition", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "The session is over", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn seek_session(
    State(door): State<Door>,
    Caller(caller): Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SeekSessionResponse>, Refused> {
    must_be(&headers, "application/json")?;
    let taken = take(&door.gateway, &headers, body).await?;
    let wanted: SeekSessionRequest = read_json(&taken.bytes)?;
    let mut targets = Vec::with_capacity(wanted.positions.len());
    for SeekPosition { topic, partition, from } in wanted.positions {
        targets.push(Target { topic, partition, from: from.place()? });
    }
    let held = door.gateway.seek_session(&caller, &wanted.token, wanted.after.as_deref(), &targets).await?;
    Ok(Json(SeekSessionResponse {
        cursor: held.cursor,
        token: held.token,
        expires_at: moment(held.expires_at),
        assigned: partitions(held.assigned),
        revoked: partitions(held.revoked),
    }))
}

/// Leave the group
///
/// Others get the partitions at once. A session that is gone already is closed too.
#[utoipa::path(
    post, path = "/v1/sessions:close", operation_id = "closeSession", tag = "sessions",
    request_body(content = CloseSessionRequest, content_type = "application/json", description = "What was dealt with"),
    responses(
        (status = 200, description = "The session is closed", body = CloseSessionResponse),
    ),
)]
pub(crate) async fn close_session(
    State(door): State<Door>,
    Caller(caller): Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CloseSessionResponse>, Refused> {
    must_be(&headers, "application/json")?;
    let taken = take(&door.gateway, &headers, body).await?;
    let wanted: CloseSessionRequest = read_json(&taken.bytes)?;
    let told = door.gateway.close_session(&caller, &wanted.token, wanted.ack.as_deref()).await?;
    Ok(Json(CloseSessionResponse { committed: offsets(told.committed) }))
}
