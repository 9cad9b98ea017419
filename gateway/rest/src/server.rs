//! The HTTP server: connections in bounds, and an end that lets answers leave.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use aquifer_runtime::{Runtime, Shutdown};
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};

use crate::admission::Admissions;
use crate::door::{Door, Ops};
use crate::front::{Front, Labels};

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

/// Serves until the signal, then lets what is under way come to its end. A connection is served by one of the gateways, where
/// that one runs.
pub async fn serve(
    socket: StdListener,
    runtime: Runtime,
    ops: Ops,
    gateways: Vec<(Door, Router)>,
    stop: Shutdown,
) -> std::io::Result<()> {
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from_std(socket)?;
    let mut places = Places::new(&ops, &runtime, gateways);
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
        let there = places.next();
        let (service, builder, stop) = (there.front.clone(), builder.clone(), stop.clone());
        let open = Arc::clone(&there.open);
        // Whatever is awaited from here on is awaited there.
        let handed = accepted.into_std();
        there.runtime.spawn("http connection", async move {
            let accepted = match handed.and_then(TcpStream::from_std) {
                Ok(accepted) => accepted,
                Err(error) => return tracing::warn!(%error, "hand an HTTP connection over"),
            };
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
            drop((place, open));
        });
    }
    // What still runs after that is given up.
    let _ = runtime.timeout(PATIENCE, admissions.all_free(CONNECTIONS_MAX)).await;
    Ok(())
}

/// Where connections are served.
struct Places {
    all: Vec<Place>,
    turn: usize,
}

struct Place {
    runtime: Runtime,
    front: Front,
    /// Held by each connection that is served here.
    open: Arc<()>,
}

impl Places {
    fn new(ops: &Ops, runtime: &Runtime, gateways: Vec<(Door, Router)>) -> Places {
        let takes_passwords = gateways.iter().any(|(door, _)| door.gateway.takes_passwords());
        let labels = Labels::new(ops, runtime, takes_passwords);
        let place = |runtime: &Runtime, gateway| Place {
            runtime: runtime.clone(),
            front: Front::new(ops, labels.clone(), gateway),
            open: Arc::default(),
        };
        let mut all = Vec::with_capacity(gateways.len().max(1));
        for gateway in gateways {
            all.push(place(&gateway.0.gateway.runtime().clone(), Some(gateway)));
        }
        if all.is_empty() {
            all.push(place(runtime, None));
        }
        Places { all, turn: 0 }
    }

    /// Where the fewest connections are; of several such places, each in its turn.
    fn next(&mut self) -> &Place {
        let open = self.all.iter().map(|place| Arc::strong_count(&place.open));
        self.turn = fewest(self.turn + 1, &open.collect::<Vec<_>>());
        &self.all[self.turn]
    }
}

/// Which count is the lowest, the first of several from `first` on and around.
fn fewest(first: usize, counts: &[usize]) -> usize {
    let around = (0..counts.len()).map(|index| (first + index) % counts.len());
    around.min_by_key(|index| counts[*index]).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_goes_where_the_fewest_are_and_nobody_is_always_first() {
        assert_eq!(fewest(1, &[2, 2, 2]), 1);
        assert_eq!(fewest(3, &[2, 2, 2]), 0);
        assert_eq!(fewest(1, &[1, 2, 1]), 2);
        assert_eq!(fewest(1, &[1, 2, 2]), 0);
    }
}
