//! The HTTP server: connections in bounds, one router for everything, and an end that lets answers leave.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aquifer_gateway::Code;
use aquifer_runtime::{Runtime, Shutdown};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

use crate::admission::Admissions;
use crate::door::{Door, Ops};
use crate::metrics::{Metrics, count};
use crate::problem::Refused;
use crate::{confluent, ops, stream, v1};

const CONNECTIONS_MAX: usize = 20_000;
/// What a balancer in front may need, and still leaves places for others.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 16_000;
/// A connection without a whole request head for so long is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long answers under way may take after the signal.
const PATIENCE: Duration = Duration::from_secs(5);
/// After a failed accept, most likely for want of file descriptors.
const REST: Duration = Duration::from_millis(50);
const STREAMS_MAX: u32 = 1_000;
const REQUEST_ID: &str = "x-request-id";
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Everything that is served: what the process says of itself, and the gateway where there is one, with `beside`.
fn router(ops: &Ops, runtime: &Runtime, gateway: Option<(Door, Router)>) -> Router {
    let metrics = Metrics::new(runtime);
    let counted = gateway.as_ref().map(|(door, _)| door.gateway.clone());
    let own = ops::routes(metrics.clone(), counted).with_state(ops.clone());
    let all = match gateway {
        None => own,
        Some((door, beside)) => {
            let own_api = v1::routes().merge(stream::routes());
            own.merge(own_api.merge(confluent::routes()).with_state(door)).merge(beside)
        }
    };
    let name = (runtime.random_u64() >> 32) as u32;
    let labels = Labels { metrics, name, requests: Arc::default(), draining: ops.draining.clone() };
    all.fallback(|| async { Refused::new(Code::UnknownRoute, "nothing is served at this path") })
        .method_not_allowed_fallback(|| async {
            Refused::new(Code::MethodNotAllowed, "the path does not take this method")
        })
        .layer(from_fn_with_state(labels, label))
}

/// Serves until the signal, then lets what is under way come to its end.
pub async fn serve(
    socket: StdListener,
    runtime: Runtime,
    ops: Ops,
    gateway: Option<(Door, Router)>,
    stop: Shutdown,
) -> std::io::Result<()> {
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from_std(socket)?;
    let service = TowerToHyperService::new(router(&ops, &runtime, gateway));
    let admissions = Admissions::new(CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX);
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(HEAD_TIMEOUT);
    loop {
        let (accepted, peer) = tokio::select! {
            biased;
            () = stop.wait() => break,
            accepted = accept(&listener, &runtime) => accepted,
        };
        // Closed at once: a client that is told nothing tries elsewhere.
        let Some(place) = admissions.ask(peer.ip()) else { continue };
        let (service, builder, stop) = (service.clone(), builder.clone(), stop.clone());
        runtime.spawn("http connection", async move {
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(accepted), service);
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                biased;
                ended = connection.as_mut() => ended,
                () = stop.wait() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "an HTTP connection broke off");
            }
            drop(place);
        });
    }
    // What still runs after that is given up.
    let _ = runtime.timeout(PATIENCE, admissions.all_free(CONNECTIONS_MAX)).await;
    Ok(())
}

async fn accept(listener: &TcpListener, runtime: &Runtime) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Small answers must not wait for one another; a socket that refuses is slower, not wrong.
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            Err(error) => {
                tracing::warn!(%error, "accept an HTTP connection");
                runtime.sleep(REST).await;
            }
        }
    }
}

/// What answers are labelled by, and counted in.
#[derive(Clone)]
struct Labels {
    metrics: Metrics,
    /// Drawn once: the system's randomness costs more than some requests.
    name: u32,
    requests: Arc<AtomicU32>,
    draining: Shutdown,
}

/// Counts the request, names it in its answer, and has connections end while the node drains.
async fn label(State(labels): State<Labels>, request: Request, next: Next) -> Response {
    let told = request.headers().get(REQUEST_ID).filter(|id| id.len() <= REQUEST_ID_BYTES_MAX).cloned();
    let id = told.or_else(|| {
        let number = labels.requests.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("{:08x}{number:08x}", labels.name)).ok()
    });
    let is_http1 = request.version() <= axum::http::Version::HTTP_11;
    let mut response = count(&labels.metrics, request, next).await;
    let headers = response.headers_mut();
    if let Some(id) = id {
        headers.insert(REQUEST_ID, id);
    }
    if is_http1 && labels.draining.is_given() && !headers.contains_key(header::UPGRADE) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
