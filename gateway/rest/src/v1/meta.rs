//! What the gateway says of itself, of the cluster behind it and of its refusals.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use aquifer_gateway::Code;

use crate::caller::Caller;
use crate::extract::Named;
use crate::problem::{Refused, catalogue};

/// What the cluster behind the gateway offers.
#[derive(Serialize, ToSchema)]
pub(crate) struct Capabilities {
    /// Whether the brokers are Aquifer's.
    aquifer: bool,
    /// Whether consumer-group sessions can be opened.
    group_sessions: bool,
    /// Whether a session's `ttl_ms` may differ from its group's session timeout.
    session_timeouts: bool,
    /// Whether appends may carry `Expected-Offset` and `Fencing-Token`.
    conditional_appends: bool,
    /// Whether old records move to object storage, as far as the cluster tells.
    tier: bool,
    /// What is missing here, with the reason.
    missing: Vec<String>,
}

/// Tell what the cluster offers
#[utoipa::path(
    get, path = "/v1/capabilities", operation_id = "getCapabilities", tag = "gateway",
    responses(
        (status = 200, description = "What the cluster behind this gateway offers", body = Capabilities),
    ),
)]
pub(crate) async fn get_capabilities(Caller { door, .. }: Caller) -> Result<Json<Capabilities>, Refused> {
    let known = door.gateway.capabilities().await?;
    let mut missing = Vec::new();
    if !known.consumer_groups {
        missing.push("group sessions: the brokers do not answer ConsumerGroupHeartbeat (KIP-848)".to_owned());
    } else if !known.session_timeouts {
        missing.push("ttl_ms of a session's own: the group's session timeout holds".to_owned());
    }
    if !known.conditional_appends {
        missing.push("Expected-Offset, Fencing-Token: the brokers do not answer AquiferFence".to_owned());
    }
    Ok(Json(Capabilities {
        aquifer: known.is_aquifer,
        group_sessions: known.consumer_groups,
        session_timeouts: known.session_timeouts,
        conditional_appends: known.conditional_appends,
        tier: known.tier,
        missing,
    }))
}

/// Every code that a problem may have.
pub(crate) async fn problems() -> Json<serde_json::Value> {
    Json(catalogue())
}

/// One of them.
pub(crate) async fn problem(Named(code): Named<String>) -> Result<Response, Refused> {
    let all = catalogue();
    let found =
        all["items"].as_array().and_then(|items| items.iter().find(|item| item["code"] == code.as_str()));
    let found = found.ok_or_else(|| Refused::new(Code::UnknownRoute, "no problem has this code"))?;
    Ok(Json(found.clone()).into_response())
}
