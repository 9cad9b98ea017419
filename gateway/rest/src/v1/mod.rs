//! REST v1: each operation with its part of the OpenAPI document.

mod chunks;
mod conditions;
mod document;
mod fencing;
mod groups;
mod meta;
mod once;
mod produce;
mod producers;
mod read;
mod session_shapes;
mod sessions;
mod topics;

use axum::Router;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use produce::{ProduceResult, RECORDS_ROUTE, append_records, trace};

use crate::door::Door;

/// Every operation that the document describes.
fn described() -> OpenApiRouter<Door> {
    OpenApiRouter::with_openapi(document::frame())
        .routes(routes!(topics::list_topics))
        .routes(routes!(topics::get_topic, topics::create_topic, topics::change_topic, topics::delete_topic))
        .routes(routes!(produce::produce_records))
        .routes(routes!(produce::produce_raw))
        .routes(routes!(produce::produce_batches))
        .routes(routes!(producers::open_producer))
        .routes(routes!(
            fencing::get_fencing_token,
            fencing::set_fencing_token,
            fencing::remove_fencing_token
        ))
        .routes(routes!(read::read_records))
        .routes(routes!(chunks::list_chunks))
        .routes(routes!(chunks::read_chunk))
        .routes(routes!(sessions::open_session))
        .routes(routes!(sessions::poll_session))
        .routes(routes!(sessions::commit_session))
        .routes(routes!(sessions::seek_session))
        .routes(routes!(sessions::close_session))
        .routes(routes!(groups::list_groups))
        .routes(routes!(groups::get_group, groups::delete_group))
        .routes(routes!(groups::list_group_members))
        .routes(routes!(groups::get_group_lag))
        .routes(routes!(groups::list_group_offsets))
        .routes(routes!(groups::reset_group_offsets))
        .routes(routes!(meta::get_capabilities))
}

pub(crate) fn routes() -> Router<Door> {
    let (router, _document) = described().split_for_parts();
    router
        .route("/v1/openapi.json", get(document::serve))
        .route("/v1/docs", get(document::page))
        .route("/v1/problems", get(meta::problems))
        .route("/v1/problems/{code}", get(meta::problem))
}

/// The OpenAPI document, which is checked in and served from there.
#[must_use]
pub fn openapi() -> String {
    document::text(described().into_openapi())
}
