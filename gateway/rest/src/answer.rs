//! Answers that hold records: whose room is free again once they have left.

use aquifer_gateway::Claim;
use axum::body::Body;
use bytes::Bytes;

/// Bytes that a slow reader keeps in memory.
struct Held {
    bytes: Vec<u8>,
    _claim: Claim,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A body that gives its room back when the connection has taken it.
pub(crate) fn held(bytes: Vec<u8>, claim: Claim) -> Body {
    Body::from(Bytes::from_owner(Held { bytes, _claim: claim }))
}
