//! Streams, which generated clients have no form for: records followed as SSE, as NDJSON and over a WebSocket, and NDJSON
//! in with acknowledgements out.

mod ndjson;
mod produce;
mod socket;
mod sse;

use axum::Router;
use axum::routing::get;
use serde::Deserialize;

use crate::door::Door;
use crate::record::Values;

/// What a follower wants.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FollowQuery {
    /// `latest` if absent.
    from: Option<String>,
    values: Option<Values>,
    /// Of records that a WebSocket may send before its client gives it more; as many as there are if absent.
    credit: Option<u64>,
}

impl FollowQuery {
    fn from(&self) -> &str {
        self.from.as_deref().unwrap_or("latest")
    }

    fn values(&self) -> Values {
        self.values.unwrap_or_default()
    }
}

pub(crate) fn routes() -> Router<Door> {
    const TOPIC: &str = "/v1/topics/{topic}";
    const PARTITION: &str = "/v1/topics/{topic}/partitions/{partition}";
    Router::new()
        .route(&format!("{TOPIC}/records:sse"), get(sse::topic))
        .route(&format!("{PARTITION}/records:sse"), get(sse::partition))
        .route(&format!("{TOPIC}/records:ndjson"), get(ndjson::topic).post(produce::records))
        .route(&format!("{PARTITION}/records:ndjson"), get(ndjson::partition))
        .route(&format!("{TOPIC}/records:ws"), get(socket::topic))
        .route(&format!("{PARTITION}/records:ws"), get(socket::partition))
}
