//! Streams, which generated clients have no form for: records followed as SSE, as NDJSON and over a WebSocket, and NDJSON
//! in with acknowledgements out.

mod follow;
mod ndjson;
mod produce;
mod socket;
mod sse;

use axum::Router;
use axum::routing::get;

use crate::door::Door;

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
