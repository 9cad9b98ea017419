//! Idempotent producers.

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::produce::read_json;
use crate::body::{must_be, take};
use crate::caller::Caller;
use crate::problem::{Problem, Refused};

/// A producer of one topic.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenProducerRequest {
    topic: String,
}

/// A producer session. Nothing of it is kept in the gateway: what it has sent stands in the log.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenProducerResponse {
    /// For the header `Producer-Id`.
    producer_id: String,
    /// For the header `Producer-Epoch`. Whoever begins anew with the same id takes the next, and fences the one before.
    #[schema(maximum = 32767)]
    epoch: i32,
    partitions: i32,
    /// For the first request's `producer_state`, in place of the header `Producer-Seq`.
    producer_state: String,
}

/// Open a producer session
///
/// Requests with its `Producer-Id`, `Producer-Epoch` and `Producer-Seq` are appended once, however often they are sent
/// and through whichever gateway. `Producer-Seq` is the number of the request's first record in its one partition, from
/// 0; after 2147483647 comes 0. Requests for several partitions bring the last answer's `producer_state` instead. At
/// most five requests to a partition are under way at a time.
#[utoipa::path(
    post, path = "/v1/producers", operation_id = "openProducer", tag = "producers",
    request_body(content = OpenProducerRequest, content_type = "application/json", description = "Of which topic"),
    responses(
        (status = 201, description = "The session", body = OpenProducerResponse),
        (status = 404, description = "The topic is not there", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn open_producer(
    Caller { door, principal }: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    must_be(&headers, "application/json")?;
    let taken = take(&door, &headers, body).await?;
    let wanted: OpenProducerRequest = read_json(&taken.bytes)?;
    let opened = door.gateway.open_producer(&principal, &wanted.topic).await?;
    let body = OpenProducerResponse {
        producer_id: opened.id,
        epoch: i32::from(opened.epoch),
        partitions: i32::try_from(opened.partitions).unwrap_or(i32::MAX),
        producer_state: opened.state,
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}
