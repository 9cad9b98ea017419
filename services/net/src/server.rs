//! `Server`: binds listeners, accepts within limits, stops in good order.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aquifer_runtime::{Runtime, Shutdown};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::budget::Budget;
use crate::connection::Connection;
use crate::driver::{Driver, End};
use crate::error::ListenError;
use crate::limits::Limits;
use crate::listener::Listener;
use crate::metrics::NetMetrics;
use crate::pool::Pool;
use crate::send_buffer;
use crate::service::Service;
use crate::tls::Certificates;
use crate::transport::Transport;

const BACKLOG: i32 = 1024;
/// After a failed accept, chiefly for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);

/// Listeners that are bound; connections wait in their backlog until `serve`.
#[derive(Debug)]
pub struct Bound {
    doors: Vec<Door>,
}

/// Listeners at work.
pub struct Server {
    take: Box<Take>,
    stop: Shutdown,
    abandon: Shutdown,
    runtime: Runtime,
    connections: Arc<Semaphore>,
    connections_max: u32,
    certificates: Vec<Arc<Certificates>>,
}

type Take = dyn Fn(Transport, SocketAddr, Arc<Listener>) -> bool + Send + Sync;

/// What all connections of a server share.
pub(crate) struct Shared<S> {
    pub(crate) service: Arc<S>,
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<NetMetrics>,
    pub(crate) runtime: Runtime,
    pub(crate) budget: Budget,
    pub(crate) pool: Arc<Pool>,
    pub(crate) stop: Shutdown,
    pub(crate) abandon: Shutdown,
    connections: Arc<Semaphore>,
    by_address: Mutex<BTreeMap<IpAddr, usize>>,
    next_id: AtomicU64,
}

#[derive(Debug)]
struct Door {
    listener: Arc<Listener>,
    /// None where connections come by another way only.
    socket: Option<StdListener>,
    certificates: Option<Arc<Certificates>>,
}

/// A connection's place among those allowed; dropping it makes room.
struct Admission<S> {
    shared: Arc<Shared<S>>,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Bound {
    /// Binds every listener and loads its certificates; blocks.
    pub fn bind(listeners: Vec<Listener>) -> Result<Bound, ListenError> {
        listeners.into_iter().map(Door::open).collect::<Result<_, _>>().map(|doors| Bound { doors })
    }

    /// Listeners without sockets, for whose connections `Server::take` is the only door.
    #[must_use]
    pub fn without_sockets(listeners: Vec<Listener>) -> Bound {
        let door = |listener| Door { listener: Arc::new(listener), socket: None, certificates: None };
        Bound { doors: listeners.into_iter().map(door).collect() }
    }

    /// The listeners with the addresses and ports they got.
    pub fn listeners(&self) -> impl Iterator<Item = &Arc<Listener>> {
        self.doors.iter().map(|door| &door.listener)
    }

    /// Accepts connections and has `service` answer them. Called on the tokio runtime they are to run on.
    pub fn serve<S: Service>(
        self,
        runtime: &Runtime,
        service: Arc<S>,
        limits: Limits,
        metrics: Arc<NetMetrics>,
    ) -> io::Result<Server> {
        let connections_max = u32::try_from(limits.connections_max).unwrap_or(u32::MAX).max(1);
        let connections = Arc::new(Semaphore::new(connections_max as usize));
        let shared = Arc::new(Shared {
            service,
            limits,
            metrics,
            runtime: runtime.clone(),
            budget: Budget::new(limits.in_flight_bytes_max),
            pool: Pool::new(limits.pooled_bytes_max),
            stop: Shutdown::default(),
            abandon: Shutdown::default(),
            connections: Arc::clone(&connections),
            by_address: Mutex::default(),
            next_id: AtomicU64::new(0),
        });
        let certificates: Vec<_> = self.doors.iter().filter_map(|door| door.certificates.clone()).collect();
        for door in self.doors {
            let Some(socket) = door.socket else { continue };
            let socket = TcpListener::from_std(socket)?;
            runtime.spawn("listener", accept(Arc::clone(&shared), socket, door.listener, door.certificates));
        }
        if !certificates.is_empty() {
            runtime
                .spawn("certificate reload", reload_from_time_to_time(shared.clone(), certificates.clone()));
        }
        let (stop, abandon) = (shared.stop.clone(), shared.abandon.clone());
        let take = Box::new(move |transport, peer, listener| shared.take(transport, peer, listener));
        let runtime = runtime.clone();
        Ok(Server { take, stop, abandon, runtime, connections, connections_max, certificates })
    }
}

impl Server {
    /// Stops accepting and reading, lets what is in flight finish for up to `grace`, then closes what is left.
    pub async fn shutdown(self, grace: Duration) {
        self.stop.give();
        let all_closed = self.connections.acquire_many(self.connections_max);
        if self.runtime.timeout(grace, all_closed).await.is_none() {
            self.abandon.give();
            // Abandoned connections wait for nothing but their turn.
            let _permits = self.connections.acquire_many(self.connections_max).await;
        }
    }

    /// Serves a connection that came by another way than these listeners, as in a simulation, under the same limits.
    /// `false` if there are too many.
    #[must_use]
    pub fn take<T>(&self, stream: T, peer: SocketAddr, listener: Arc<Listener>) -> bool
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        (self.take)(Transport::Copying(Box::new(stream)), peer, listener)
    }

    /// Reads every certificate again, without waiting for the next look at the files; blocks.
    pub fn reload_certificates(&self) -> Result<bool, crate::error::TlsError> {
        let mut changed = false;
        for certificates in &self.certificates {
            changed |= certificates.reload()?;
        }
        Ok(changed)
    }
}

impl Door {
    fn open(mut listener: Listener) -> Result<Door, ListenError> {
        let certificates = listener
            .tls
            .clone()
            .map(Certificates::load)
            .transpose()
            .map_err(|source| ListenError::Tls { name: listener.name.clone(), source })?
            .map(Arc::new);
        let socket = listen(listener.bind).map_err(|source| ListenError::Bind {
            name: listener.name.clone(),
            address: listener.bind,
            source,
        })?;
        if let Ok(address) = socket.local_addr() {
            listener.bind = address;
        }
        if listener.advertised.port == 0 {
            listener.advertised.port = listener.bind.port();
        }
        Ok(Door { listener: Arc::new(listener), socket: Some(socket), certificates })
    }
}

fn listen(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

async fn accept<S: Service>(
    shared: Arc<Shared<S>>,
    socket: TcpListener,
    listener: Arc<Listener>,
    certificates: Option<Arc<Certificates>>,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.stop.wait() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                let Some(admission) = Admission::ask(&shared, peer) else { continue };
                let (listener, certificates) = (Arc::clone(&listener), certificates.clone());
                shared.runtime.spawn("connection", async move {
                    if let Some(transport) = admission.greet(socket, certificates).await {
                        admission.serve(transport, peer, listener).await;
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, listener = listener.name, "accept failed");
                shared.runtime.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn reload_from_time_to_time<S: Service>(shared: Arc<Shared<S>>, certificates: Vec<Arc<Certificates>>) {
    loop {
        tokio::select! {
            biased;
            () = shared.stop.wait() => return,
            () = shared.runtime.sleep(RELOAD_INTERVAL) => {}
        }
        for certificates in &certificates {
            let certificates = Arc::clone(certificates);
            let reloaded =
                shared.runtime.spawn_blocking("certificate reload", move || certificates.reload()).await;
            match reloaded {
                Some(Ok(true)) => shared.metrics.certificate_reloads.add(1),
                Some(Err(error)) => {
                    shared.metrics.certificate_reloads_failed.add(1);
                    tracing::warn!(error = &error as &dyn std::error::Error, "certificates stay as they are");
                }
                _ => {}
            }
        }
    }
}

impl<S: Service> Shared<S> {
    fn take(self: &Arc<Shared<S>>, transport: Transport, peer: SocketAddr, listener: Arc<Listener>) -> bool {
        let Some(admission) = Admission::ask(self, peer) else { return false };
        self.runtime.spawn("connection", admission.serve(transport, peer, listener));
        true
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("connections_max", &self.connections_max).finish_non_exhaustive()
    }
}

impl<S: Service> Admission<S> {
    /// A place for a connection from `peer`, if neither it nor all together have too many.
    fn ask(shared: &Arc<Shared<S>>, peer: SocketAddr) -> Option<Admission<S>> {
        shared.metrics.connections_accepted.add(1);
        let admission = Admission::find(shared, peer.ip().to_canonical());
        if admission.is_none() {
            shared.metrics.connections_refused.add(1);
            tracing::debug!(%peer, "connection refused, too many are open");
        }
        admission
    }

    fn find(shared: &Arc<Shared<S>>, address: IpAddr) -> Option<Admission<S>> {
        let permit = Arc::clone(&shared.connections).try_acquire_owned().ok()?;
        {
            let mut by_address = shared.by_address.lock().expect("nothing panics under this lock");
            let open = by_address.entry(address).or_default();
            if *open >= shared.limits.connections_per_address_max {
                return None;
            }
            *open += 1;
        }
        shared.metrics.connections.add(1);
        Some(Admission { shared: Arc::clone(shared), address, _permit: permit })
    }

    async fn serve(self, transport: Transport, peer: SocketAddr, listener: Arc<Listener>) {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection { id, peer, listener, session: S::Session::default() });
        match Driver::new(Arc::clone(&self.shared), connection, transport).run().await {
            End::Closed | End::Stopped => {}
            End::Io(error) => tracing::debug!(%peer, %error, "connection failed"),
            End::Frame(length) => tracing::warn!(%peer, length, "frame refused, connection closed"),
            End::TimedOut(what) => {
                self.shared.metrics.connections_timed_out.add(1);
                tracing::debug!(%peer, what, "connection closed");
            }
        }
    }

    async fn greet(&self, socket: TcpStream, certificates: Option<Arc<Certificates>>) -> Option<Transport> {
        // Without it small replies would wait for acknowledgements. A socket that refuses either is merely slower.
        let _ = socket.set_nodelay(true);
        let _ = send_buffer::fit(&socket);
        let Some(certificates) = certificates else { return Some(Transport::Plain(socket)) };
        let handshake = certificates.acceptor().accept(socket);
        match self.shared.runtime.timeout(self.shared.limits.handshake, handshake).await {
            Some(Ok(stream)) => Some(Transport::Copying(Box::new(stream))),
            failed => {
                self.shared.metrics.handshakes_failed.add(1);
                let error = failed.and_then(Result::err);
                tracing::debug!(?error, "tls handshake failed");
                None
            }
        }
    }
}

impl<S> Drop for Admission<S> {
    fn drop(&mut self) {
        self.shared.metrics.connections.subtract(1);
        let mut by_address = self.shared.by_address.lock().expect("nothing panics under this lock");
        if let Some(open) = by_address.get_mut(&self.address) {
            *open -= 1;
            if *open == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}
