//! The node of this program: a real disk, real ports, and HTTP beside the Kafka port.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use aquifer_disk::RealDisk;
use aquifer_hotlog::Health;
use aquifer_net::{Bound, Listener};
use aquifer_node::Settings;
use aquifer_rest::{Probe, Readiness};
use aquifer_runtime::{Runtime, Shutdown};
use aquifer_types::ClusterId;

/// What a node is made of.
#[derive(Debug)]
pub(crate) struct NodeSettings {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) http: SocketAddr,
    pub(crate) node: Settings,
}

/// A running node with its HTTP port.
pub(crate) struct Node {
    pub(crate) http: SocketAddr,
    node: aquifer_node::Node,
    stop_http: Shutdown,
}

/// What `/readyz` and `/metrics` tell.
struct NodeProbe(aquifer_node::Probe);

impl Node {
    pub(crate) async fn start(settings: NodeSettings, runtime: &Runtime) -> Result<Node> {
        // Ports first: what is in use shows at once, and nothing was touched yet.
        let bound = Bound::bind(settings.listeners)?;
        let http = TcpListener::bind(settings.http)
            .with_context(|| format!("listen for HTTP on {}", settings.http))?;
        let http_address = http.local_addr()?;
        let node = aquifer_node::Node::start(bound, Arc::new(RealDisk), settings.node, runtime).await?;
        let stop_http = Shutdown::default();
        let serving = aquifer_rest::serve(http, Arc::new(NodeProbe(node.probe())), stop_http.clone());
        runtime.spawn("http", async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the HTTP port failed");
            }
        });
        Ok(Node { http: http_address, node, stop_http })
    }

    pub(crate) fn cluster(&self) -> ClusterId {
        self.node.cluster()
    }

    pub(crate) fn listeners(&self) -> &[Arc<Listener>] {
        self.node.listeners()
    }

    /// Returns once the node can no longer do its work, with the reason.
    pub(crate) async fn failed(&self) -> String {
        self.node.failed().await
    }

    /// Drains: answers leave, everything is flushed, nothing is left to recover.
    pub(crate) async fn stop(self) {
        self.node.stop().await;
        self.stop_http.give();
    }
}

impl Probe for NodeProbe {
    fn readiness(&self) -> Readiness {
        if self.0.is_draining() {
            return Readiness::NotReady("draining".to_owned());
        }
        if let Some(why) = self.0.superseded() {
            return Readiness::NotReady(why);
        }
        match self.0.health() {
            Health::Healthy | Health::Full => Readiness::Ready,
            Health::Offline => Readiness::NotReady(
                "the data directory is offline: a flush failed; see the log, replace the disk, restart"
                    .to_owned(),
            ),
        }
    }

    fn metrics(&self) -> String {
        self.0.metrics()
    }
}
