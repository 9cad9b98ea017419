//! `Node`: opens a data directory, starts quorum, broker and Kafka port, and stops them in the right order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aquifer_broker::{Broker, Port};
use aquifer_disk::Disk;
use aquifer_hotlog::Health;
use aquifer_hotlog::format::Layout;
use aquifer_net::{Bound, Listener, NetMetrics, Server};
use aquifer_quorum::{Beginning, Quorum};
use aquifer_runtime::{Runtime, Shutdown};
use aquifer_types::ClusterId;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::StartError;
use crate::settings::Settings;
use crate::{identity, report};

/// How long clients get to take their answers when the node stops.
const DRAIN: Duration = Duration::from_secs(5);

/// A running node.
pub struct Node {
    cluster: ClusterId,
    listeners: Vec<Arc<Listener>>,
    broker: Arc<Broker>,
    quorum: Arc<Quorum>,
    server: Server,
    net: Arc<NetMetrics>,
    draining: Shutdown,
}

/// What others may ask of a node while it runs.
#[derive(Clone, Debug)]
pub struct Probe {
    broker: Arc<Broker>,
    net: Arc<NetMetrics>,
    draining: Shutdown,
}

impl Node {
    /// Recovers what `disk` holds and serves it on the listeners of `bound`.
    pub async fn start(
        bound: Bound,
        disk: Arc<dyn Disk>,
        settings: Settings,
        runtime: &Runtime,
    ) -> Result<Node, StartError> {
        let layout = Layout::new(settings.data_dir.clone());
        let (meta, beginning) = identity::read_or_make(&*disk, &layout, &settings, runtime)?;
        let recovering = runtime.spawn_blocking("recover", {
            let (disk, layout, runtime) = (disk.clone(), layout.clone(), runtime.clone());
            move || aquifer_broker::recover(disk, layout, meta, settings.log, &runtime)
        });
        let mut quorum_settings =
            aquifer_quorum::Settings::new(meta.node, meta.directory, layout.raft(), beginning);
        if let Some(entries) = settings.snapshot_entries {
            quorum_settings.snapshot_entries = entries;
        }
        let found = recovering.await.ok_or(StartError::RecoveryPanicked)??;
        let quorum = Arc::new(Quorum::start(quorum_settings, disk.clone(), runtime.clone()).await?);
        if beginning != Beginning::Existing {
            identity::settle(&*disk, &layout)?;
        }
        let listeners: Vec<Arc<Listener>> = bound.listeners().cloned().collect();
        let broker_settings = report::reported(&settings, &listeners);
        let broker = Broker::start(found, &listeners, quorum.clone(), broker_settings, runtime).await?;
        let net = Arc::new(NetMetrics::default());
        let port = Arc::new(Port(broker.clone()));
        let server = bound.serve(runtime, port, settings.limits, net.clone()).map_err(StartError::Serve)?;
        let draining = Shutdown::default();
        Ok(Node { cluster: meta.cluster, listeners, broker, quorum, server, net, draining })
    }

    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The listeners with the addresses and ports they got.
    #[must_use]
    pub fn listeners(&self) -> &[Arc<Listener>] {
        &self.listeners
    }

    #[must_use]
    pub fn probe(&self) -> Probe {
        let (broker, net) = (self.broker.clone(), self.net.clone());
        Probe { broker, net, draining: self.draining.clone() }
    }

    /// Serves a connection that came by another way than a socket, on the first listener; `false` if there are too
    /// many.
    #[must_use]
    pub fn take<T>(&self, stream: T, peer: SocketAddr) -> bool
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.listeners.first().is_some_and(|listener| self.server.take(stream, peer, listener.clone()))
    }

    /// Returns once the node can no longer do its work, with the reason.
    pub async fn failed(&self) -> String {
        self.quorum.failed().await
    }

    /// Drains: answers leave, everything is flushed, nothing is left to recover.
    pub async fn stop(self) {
        self.draining.give();
        self.server.shutdown(DRAIN).await;
        self.broker.close().await;
        if let Err(error) = self.quorum.shutdown().await {
            tracing::error!(%error, "the quorum did not stop as it should");
        }
    }
}

impl Probe {
    /// Whether the node was told to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_given()
    }

    #[must_use]
    pub fn health(&self) -> Health {
        self.broker.health()
    }

    /// Why nothing is produced here any more, though it is healthy.
    #[must_use]
    pub fn superseded(&self) -> Option<String> {
        self.broker.superseded()
    }

    /// All metrics, as Prometheus reads them.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.broker.metrics(&self.net)
    }
}
