//! Answers that hold records: whose room is free again once they have left.

use aquifer_gateway::Claim;
use axum::body::Body;
use bytes::Bytes;

/// Bytes that a slow reader keeps in memory.
struct Held<T> {
    bytes: T,
    _claim: Claim,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Held<T> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

/// A body that gives its room back when the connection has taken it.
pub(crate) fn held(bytes: Vec<u8>, claim: Claim) -> Body {
    Body::from(held_bytes(bytes, claim))
}

/// The same as a part of a body.
pub(crate) fn held_bytes(bytes: impl AsRef<[u8]> + Send + 'static, claim: Claim) -> Bytes {
    Bytes::from_owner(Held { bytes, _claim: claim })
}
