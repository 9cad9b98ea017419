//! Fencing tokens of partitions.

use aquifer_gateway::{FenceIf, fencing_token};
use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::produce::read_json;
use crate::body::{must_be, take};
use crate::caller::Caller;
use crate::extract::Named;
use crate::problem::{Problem, Refused};

/// The fencing token that a partition is to have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetFencingTokenRequest {
    /// 1 to 36 visible characters of ASCII.
    #[schema(min_length = 1, max_length = 36, pattern = "^[!-~]+$", example = "writer-2")]
    token: String,
    /// Set only if this is the token until now; empty if there must be none.
    #[serde(default)]
    #[schema(nullable = false, max_length = 36, pattern = "^[!-~]*$")]
    expected_token: Option<String>,
}

/// The fencing token of a partition.
#[derive(Serialize, ToSchema)]
pub(crate) struct FencingTokenResponse {
    /// Absent where there is none.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// Tell a partition's fencing token
#[utoipa::path(
    get, path = "/v1/topics/{topic}/partitions/{partition}/fencing-token", operation_id = "getFencingToken", tag = "producers",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("partition" = i32, Path, description = "The partition's number"),
    ),
    responses(
        (status = 200, description = "What requests with a Fencing-Token are compared with", body = FencingTokenResponse),
        (status = 501, description = "The brokers are not Aquifer's", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_fencing_token(
    Caller { door, .. }: Caller,
    Named((topic, partition)): Named<(String, i32)>,
) -> Result<Json<FencingTokenResponse>, Refused> {
    let token = door.gateway.fencing_token(&topic, partition).await?;
    Ok(Json(FencingTokenResponse { token: token.map(|token| token.to_string()) }))
}

/// Give a partition a fencing token
///
/// Once this is answered, appends with another `Fencing-Token` are refused, wherever they come from; those without one are
/// not looked at. Whoever takes over from another writer sets a token of its own first, and is alone from then on.
#[utoipa::path(
    put, path = "/v1/topics/{topic}/partitions/{partition}/fencing-token", operation_id = "setFencingToken", tag = "producers",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("partition" = i32, Path, description = "The partition's number"),
    ),
    request_body(content = SetFencingTokenRequest, content_type = "application/json", description = "The token"),
    responses(
        (status = 200, description = "It is in force", body = FencingTokenResponse),
        (status = 412, description = "The token is another one than expected", body = Problem, content_type = "application/problem+json"),
        (status = 501, description = "The brokers are not Aquifer's", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn set_fencing_token(
    Caller { door, .. }: Caller,
    Named((topic, partition)): Named<(String, i32)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<FencingTokenResponse>, Refused> {
    must_be(&headers, "application/json")?;
    let taken = take(&door, &headers, body).await?;
    let wanted: SetFencingTokenRequest = read_json(&taken.bytes)?;
    let token = fencing_token(&wanted.token)?;
    let condition = match wanted.expected_token.as_deref() {
        None => FenceIf::Any,
        Some("") => FenceIf::Is(None),
        Some(expected) => FenceIf::Is(Some(fencing_token(expected)?)),
    };
    door.gateway.set_fencing_token(&topic, partition, Some(token), condition).await?;
    Ok(Json(FencingTokenResponse { token: Some(token.to_string()) }))
}

/// Take a partition's fencing token away
///
/// Appends with any `Fencing-Token` are refused then.
#[utoipa::path(
    delete, path = "/v1/topics/{topic}/partitions/{partition}/fencing-token", operation_id = "removeFencingToken", tag = "producers",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("partition" = i32, Path, description = "The partition's number"),
    ),
    responses(
        (status = 204, description = "It has none"),
        (status = 501, description = "The brokers are not Aquifer's", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove_fencing_token(
    Caller { door, .. }: Caller,
    Named((topic, partition)): Named<(String, i32)>,
) -> Result<StatusCode, Refused> {
    door.gateway.set_fencing_token(&topic, partition, None, FenceIf::Any).await?;
    Ok(StatusCode::NO_CONTENT)
}
