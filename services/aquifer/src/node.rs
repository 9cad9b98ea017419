//! One node: opens its directory, starts quorum, broker and HTTP, and stops them in the right order.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aquifer_broker::{Broker, Port};
use aquifer_disk::{Disk, RealDisk};
use aquifer_hotlog::Health;
use aquifer_hotlog::format::{Layout, Meta};
use aquifer_net::{Bound, Limits, Listener, NetMetrics, Server};
use aquifer_quorum::{Beginning, Quorum};
use aquifer_rest::{Probe, Readiness};
use aquifer_runtime::{Runtime, Shutdown};
use aquifer_types::{ClusterId, DirectoryId, NodeId};

const META_BYTES_MAX: u64 = 4096;
/// How long clients get to take their answers when the node stops.
const DRAIN: Duration = Duration::from_secs(5);

/// What a node is made of.
#[derive(Debug)]
pub(crate) struct NodeSettings {
    pub(crate) data_dir: PathBuf,
    pub(crate) node: NodeId,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) http: SocketAddr,
    pub(crate) broker: aquifer_broker::Settings,
    pub(crate) log: aquifer_hotlog::Settings,
    pub(crate) limits: Limits,
    /// Whether a new cluster may be made in an empty directory.
    pub(crate) bootstrap: bool,
}

/// A running node.
pub(crate) struct Node {
    pub(crate) cluster: ClusterId,
    pub(crate) listeners: Vec<Arc<Listener>>,
    pub(crate) http: SocketAddr,
    broker: Arc<Broker>,
    quorum: Arc<Quorum>,
    server: Server,
    stop_http: Shutdown,
    draining: Shutdown,
}

/// What `/readyz` and `/metrics` tell.
struct NodeProbe {
    broker: Arc<Broker>,
    net: Arc<NetMetrics>,
    draining: Shutdown,
}

impl Node {
    pub(crate) async fn start(settings: NodeSettings, runtime: &Runtime) -> Result<Node> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        // Ports first: what is in use shows at once, and nothing was touched yet.
        let bound = Bound::bind(settings.listeners)?;
        let http = TcpListener::bind(settings.http)
            .with_context(|| format!("listen for HTTP on {}", settings.http))?;
        let http_address = http.local_addr()?;
        let layout = Layout::new(settings.data_dir);
        let (meta, beginning) =
            read_or_make_meta(&*disk, &layout, settings.node, settings.bootstrap, runtime)?;
        let recovering = runtime.spawn_blocking("recover", {
            let (disk, layout, runtime) = (disk.clone(), layout.clone(), runtime.clone());
            move || aquifer_broker::recover(disk, layout, meta, settings.log, &runtime)
        });
        let quorum_settings =
            aquifer_quorum::Settings::new(meta.node, meta.directory, layout.raft(), beginning);
        let found = recovering.await.context("recovery panicked")??;
        let quorum = Arc::new(Quorum::start(quorum_settings, disk, runtime.clone()).await?);
        let listeners: Vec<Arc<Listener>> = bound.listeners().cloned().collect();
        let mut broker_settings = settings.broker;
        report(&mut broker_settings, meta.node, layout.root(), &listeners, &settings.limits);
        let broker = Broker::start(found, &listeners, quorum.clone(), broker_settings, runtime).await?;
        let net = Arc::new(NetMetrics::default());
        let server = bound.serve(runtime, Arc::new(Port(broker.clone())), settings.limits, net.clone())?;
        let (stop_http, draining) = (Shutdown::default(), Shutdown::default());
        let probe = Arc::new(NodeProbe { broker: broker.clone(), net, draining: draining.clone() });
        let serving = aquifer_rest::serve(http, probe, stop_http.clone());
        runtime.spawn("http", async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the HTTP port failed");
            }
        });
        let cluster = meta.cluster;
        Ok(Node { cluster, listeners, http: http_address, broker, quorum, server, stop_http, draining })
    }

    /// Returns once the node can no longer do its work, with the reason.
    pub(crate) async fn failed(&self) -> String {
        self.quorum.failed().await
    }

    /// Drains: answers leave, everything is flushed, nothing is left to recover.
    pub(crate) async fn stop(self) {
        self.draining.give();
        self.server.shutdown(DRAIN).await;
        self.broker.close().await;
        drop(self.broker);
        self.stop_http.give();
        match Arc::try_unwrap(self.quorum) {
            Ok(quorum) => {
                if let Err(error) = quorum.shutdown().await {
                    tracing::error!(%error, "the quorum did not stop as it should");
                }
            }
            Err(_held) => tracing::debug!("the quorum is still asked while it stops"),
        }
    }
}

impl Probe for NodeProbe {
    fn readiness(&self) -> Readiness {
        if self.draining.is_given() {
            return Readiness::NotReady("draining".to_owned());
        }
        match self.broker.health() {
            Health::Healthy | Health::Full => Readiness::Ready,
            Health::Offline => Readiness::NotReady(
                "the data directory is offline: a flush failed; see the log, replace the disk, restart"
                    .to_owned(),
            ),
        }
    }

    fn metrics(&self) -> String {
        self.broker.metrics(&self.net)
    }
}

/// What DescribeConfigs shows of this node's own configuration, by Kafka's names.
fn report(
    settings: &mut aquifer_broker::Settings,
    node: NodeId,
    data_dir: &Path,
    listeners: &[Arc<Listener>],
    limits: &Limits,
) {
    let told = |address: &dyn Fn(&Listener) -> String| {
        let all: Vec<String> =
            listeners.iter().map(|listener| format!("{}://{}", listener.name, address(listener))).collect();
        all.join(",")
    };
    let entries = [
        ("node.id", node.to_string()),
        ("broker.id", node.to_string()),
        ("log.dirs", data_dir.display().to_string()),
        ("listeners", told(&|listener| listener.bind.to_string())),
        (
            "advertised.listeners",
            told(&|listener| format!("{}:{}", listener.advertised.host, listener.advertised.port)),
        ),
        ("auto.create.topics.enable", settings.auto_create_topics.to_string()),
        ("num.partitions", settings.default_partitions.to_string()),
        ("max.connections", limits.connections_max.to_string()),
        ("max.connections.per.ip", limits.connections_per_address_max.to_string()),
        ("connections.max.idle.ms", limits.idle.as_millis().to_string()),
        ("socket.request.max.bytes", limits.frame_bytes_max.to_string()),
        ("fetch.max.bytes", settings.fetch_bytes_max.to_string()),
    ];
    settings.reported.extend(entries.map(|(name, value)| (name.to_owned(), value)));
    if let Some(rack) = &settings.rack {
        settings.reported.insert("broker.rack".to_owned(), rack.clone());
    }
}

/// The directory's ids, drawn when it is new. A directory that has data but no ids is not taken for a new one.
fn read_or_make_meta(
    disk: &dyn Disk,
    layout: &Layout,
    node: NodeId,
    bootstrap: bool,
    runtime: &Runtime,
) -> Result<(Meta, Beginning)> {
    disk.create_dir(layout.root())?;
    match disk.read(&layout.meta(), META_BYTES_MAX) {
        Ok(bytes) => {
            let meta = Meta::decode(&bytes).with_context(|| format!("read {}", layout.meta().display()))?;
            anyhow::ensure!(
                meta.node == node,
                "{} belongs to node {}, not to node {node}: set node.id to {}, or choose another directory",
                layout.root().display(),
                meta.node,
                meta.node
            );
            let beginning = if disk.list(layout.root())?.iter().any(|entry| entry.name == "raft") {
                Beginning::Existing
            } else {
                Beginning::New { cluster: meta.cluster }
            };
            Ok((meta, beginning))
        }
        Err(error) if error.is_not_found() => {
            let holds_data =
                disk.list(layout.root())?.iter().any(|entry| entry.is_dir && entry.name != "lost+found");
            anyhow::ensure!(
                !holds_data,
                "{} holds data but no file 'meta': it is not made anew over what may be wanted",
                layout.root().display()
            );
            anyhow::ensure!(
                bootstrap,
                "{} is empty: set cluster.bootstrap = true to make a new cluster in it",
                layout.root().display()
            );
            let meta = Meta {
                cluster: ClusterId(runtime.random_uuid()),
                node,
                directory: DirectoryId(runtime.random_uuid()),
            };
            disk.replace(&layout.meta(), &meta.encode())?;
            Ok((meta, Beginning::New { cluster: meta.cluster }))
        }
        Err(error) => Err(error.into()),
    }
}
