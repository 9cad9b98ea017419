//! `Caller`: who sent a request, found out before anything else is looked at.

use aquifer_gateway::Principal;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use crate::door::Door;
use crate::problem::Refused;

/// A caller that was let in.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Principal);

impl FromRequestParts<Door> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Caller, Refused> {
        let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| {
            let (scheme, credential) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
        });
        let key = parts.headers.get("x-api-key").and_then(|value| value.to_str().ok());
        Ok(Caller(door.gateway.identify(bearer.or(key))?))
    }
}
