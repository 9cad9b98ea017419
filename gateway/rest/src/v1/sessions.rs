//! Sessions: members of consumer groups that any gateway serves.

use std::time::Duration;

use aquifer_gateway::{Code, NewSession, PollRequest as Poll, Target};
use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::produce::read_json;
use super::session_shapes::{
    BehindRecords, CloseSessionRequest, CloseSessionResponse, CommitSessionRequest, CommitSessionResponse,
    OpenSessionRequest, OpenSessionResponse, PollSessionRequest, PollSessionResponse, SeekPosition,
    SeekSessionRequest, SeekSessionResponse, TextOrNumber, moment, offsets, partitions,
};
use crate::answer::held;
use crate::body::{must_be, take};
use crate::caller::Caller;
use crate::extract::Named;
use crate::problem::{Problem, Refused};
use crate::record::Shown;

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
    Caller { door, principal: caller }: Caller,
    Named(group): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<OpenSessionResponse>, Refused> {
    must_be(&headers, "application/json")?;
    let taken = take(&door, &headers, body).await?;
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
    Caller { door, principal: caller }: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    must_be(&headers, "application/json")?;
    let taken = take(&door, &headers, body).await?;
    let wanted: PollSessionRequest = read_json(&taken.bytes)?;
    // A poll that waits holds no room for a body that is read.
    drop(taken);
    let limits = wanted.limits()?;
    let poll =
        Poll { token: &wanted.token, ack: wanted.ack.as_deref(), after: wanted.after.as_deref(), limits };
    let mut polled = door.gateway.poll_session(&caller, &poll).await?;
    let values = wanted.values.unwrap_or_default();
    let claim = door.gateway.answers().claim(polled.bytes()).await?;
    let mut body = Vec::with_capacity(1024 + polled.bytes());
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
    Ok((headers, held(body, claim)).into_response())
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
    Caller { door, principal: caller }: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CommitSessionResponse>, Refused> {
    must_be(&headers, "application/json")?;
    let taken = take(&door, &headers, body).await?;
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
    Caller { door, principal: caller }: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SeekSessionResponse>, Refused> {
    must_be(&headers, "application/json")?;
    let taken = take(&door, &headers, body).await?;
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
    Caller { door, principal: caller }: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CloseSessionResponse>, Refused> {
    must_be(&headers, "application/json")?;
    let taken = take(&door, &headers, body).await?;
    let wanted: CloseSessionRequest = read_json(&taken.bytes)?;
    let told = door.gateway.close_session(&caller, &wanted.token, wanted.ack.as_deref()).await?;
    Ok(Json(CloseSessionResponse { committed: offsets(told.committed) }))
}
