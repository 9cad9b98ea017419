//! `Caller`: who sent a request, found out before anything else is looked at.

use aquifer_gateway::Principal;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};

use crate::door::Door;
use crate::problem::Refused;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A caller that was let in.
pub(crate) struct Caller {
    /// With the gateway that acts for it.
    pub(crate) door: Door,
    pub(crate) principal: Principal,
}

impl FromRequestParts<Door> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Caller, Refused> {
        Caller::of(door, &parts.headers).await
    }
}

impl Caller {
    pub(crate) async fn of(door: &Door, headers: &HeaderMap) -> Result<Caller, Refused> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (authorization, key) = (text(header::AUTHORIZATION), text(API_KEY));
        let (principal, gateway) = door.gateway.admit(authorization, key).await?;
        Ok(Caller { door: Door { gateway, ..door.clone() }, principal })
    }
}
