//! `/healthz`, `/readyz` and `/metrics`.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::door::Ops;

/// What the process says of itself.
pub trait Probe: Send + Sync + 'static {
    fn readiness(&self) -> Readiness;

    /// In Prometheus's text format. Must not block.
    fn metrics(&self) -> String;
}

/// Whether requests are answered as they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// Why not, in words.
    NotReady(String),
}

pub(crate) fn routes() -> Router<Ops> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
}

async fn readyz(State(ops): State<Ops>) -> Response {
    let readiness = match ops.draining.is_given() {
        true => Readiness::NotReady("draining".to_owned()),
        false => ops.probe.readiness(),
    };
    match readiness {
        Readiness::Ready => (StatusCode::OK, "ready\n").into_response(),
        Readiness::NotReady(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn metrics(State(ops): State<Ops>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], ops.probe.metrics()).into_response()
}
