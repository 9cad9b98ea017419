//! `/healthz`, `/readyz` and `/metrics`.

use std::net::TcpListener as StdListener;
use std::sync::Arc;

use aquifer_runtime::Shutdown;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

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

/// Serves until the signal. The process lives as long as it answers at all, so `/healthz` says nothing else.
pub async fn serve(socket: StdListener, probe: Arc<dyn Probe>, stop: Shutdown) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(probe);
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from_std(socket)?;
    axum::serve(listener, routes).with_graceful_shutdown(async move { stop.wait().await }).await
}

async fn readyz(State(probe): State<Arc<dyn Probe>>) -> Response {
    match probe.readiness() {
        Readiness::Ready => (StatusCode::OK, "ready\n").into_response(),
        Readiness::NotReady(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn metrics(State(probe): State<Arc<dyn Probe>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], probe.metrics()).into_response()
}
