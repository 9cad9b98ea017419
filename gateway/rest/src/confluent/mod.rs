//! Confluent's REST API v2, for clients that speak it already: topics, records in, consumer instances at any gateway.
//!
//! What differs on purpose: `base_uri` is the address that the client used; a record over `max_bytes` comes alone rather
//! than never; a value that is not JSON reaches an instance of JSON as a string; an instance outlives its gateway, and
//! commits never go back.

mod consumers;
mod fault;
mod media;
mod offsets;
mod produce;
mod records;
mod topics;

use axum::Router;
use axum::routing::{get, post};

use crate::door::Door;

pub(crate) fn routes() -> Router<Door> {
    const INSTANCE: &str = "/consumers/{group}/instances/{instance}";
    let at = |path: &str| format!("{INSTANCE}{path}");
    Router::new()
        .route("/topics", get(topics::list))
        .route("/topics/{topic}", get(topics::one).post(produce::to_topic))
        .route("/topics/{topic}/partitions", get(topics::partitions))
        .route("/topics/{topic}/partitions/{partition}", get(topics::partition).post(produce::to_partition))
        .route("/topics/{topic}/partitions/{partition}/offsets", get(topics::offsets))
        .route("/brokers", get(topics::brokers))
        .route("/consumers/{group}", post(consumers::create))
        .route(INSTANCE, axum::routing::delete(consumers::delete))
        .route(
            &at("/subscription"),
            get(consumers::subscription).post(consumers::subscribe).delete(consumers::unsubscribe),
        )
        .route(&at("/assignments"), get(consumers::assignments).post(consumers::assign))
        .route(&at("/records"), get(records::read))
        .route(&at("/offsets"), get(offsets::committed).post(offsets::commit))
        .route(&at("/positions"), post(offsets::seek))
        .route(&at("/positions/beginning"), post(offsets::to_beginning))
        .route(&at("/positions/end"), post(offsets::to_end))
}
