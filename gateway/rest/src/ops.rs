//! `/healthz`, `/readyz` and `/metrics`.

use aquifer_gateway::Gateway;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::door::Ops;
use crate::metrics::Metrics;

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

/// `gateway` is the one whose waiting clients are counted, where there is one.
pub(crate) fn routes(metrics: Metrics, gateway: Option<Gateway>) -> Router<Ops> {
    let told = move |State(ops): State<Ops>| {
        let waiting = gateway.as_ref().map(Gateway::waiting);
        let text = ops.probe.metrics() + &metrics.text(waiting);
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
    };
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(told))
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
