//! `/healthz`, `/readyz` and `/metrics`.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::door::Door;

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

pub(crate) fn routes() -> Router<Door> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
}

async fn readyz(State(door): State<Door>) -> Response {
    let readiness = match door.gateway.draining().is_given() {
        true => Readiness::NotReady("draining".to_owned()),
        false => door.probe.readiness(),
    };
    match readiness {
        Readiness::Ready => (StatusCode::OK, "ready\n").into_response(),
        Readiness::NotReady(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn metrics(State(door): State<Door>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], door.probe.metrics()).into_response()
}
