//! The HTTP server: connections in bounds, and an end that lets answers leave.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use aquifer_runtime::{Runtime, Shutdown};
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};

use crate::admission::Admissions;
use crate::door::{Door, Ops};
use crate::front::Front;

const CONNECTIONS_MAX: usize = 20_000;
/// What a balancer in front may need, and still leaves places for others.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 16_000;
/// A connection without a whole request head for so long is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// A client that acknowledges nothing for so long, or has no room for anything, has gone: nothing else tells when a
/// network drops what it sends, or its machine stops.
const GONE: Duration = Duration::from_secs(60);
/// How long answers under way may take after the signal.
const PATIENCE: Duration = Duration::from_secs(5);
/// After a failed accept, most likely for want of file descriptors.
const REST: Duration = Duration::from_millis(50);
const STREAMS_MAX: u32 = 1_000;

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
    let service = Front::new(&ops, &runtime, gateway);
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

/// A socket that refuses any of it is slower, not wrong.
fn prepare(stream: &TcpStream) {
    // Small answers must not wait for one another.
    let _ = stream.set_nodelay(true);
    let socket = SockRef::from(stream);
    let _ = socket.set_tcp_user_timeout(Some(GONE));
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(GONE / 2).with_interval(GONE / 4));
}

async fn accept(listener: &TcpListener, runtime: &Runtime) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                prepare(&stream);
                return (stream, peer);
            }
            Err(error) => {
                tracing::warn!(%error, "accept an HTTP connection");
                runtime.sleep(REST).await;
            }
        }
    }
}
