//! The node of this program: a real disk, real ports, and HTTP beside the Kafka port.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aquifer_client::{Address, Client, ClientSettings, ConnectionSettings, TcpConnector};
use aquifer_disk::RealDisk;
use aquifer_gateway::Gateway;
use aquifer_hotlog::Health;
use aquifer_net::{Bound, Listener};
use aquifer_node::Settings;
use aquifer_rest::{Ops, Probe, Readiness};
use aquifer_runtime::{Runtime, Shutdown, Task};
use aquifer_types::ClusterId;
use aquifer_wire::Text;

use crate::gateway::{GatewaySecrets, serve_http};

/// How long the gateway of a node tries anew what its own brokers refuse for now.
const RETRY_FOR: Duration = Duration::from_secs(10);

/// What a node is made of.
#[derive(Debug)]
pub(crate) struct NodeSettings {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) http: SocketAddr,
    /// Whether the HTTP port is a gateway to this node's cluster, and with which secrets.
    pub(crate) gateway: Option<GatewaySecrets>,
    pub(crate) node: Settings,
}

/// A running node with its HTTP port.
pub(crate) struct Node {
    pub(crate) http: SocketAddr,
    node: aquifer_node::Node,
    gateway: Option<Gateway>,
    draining: Shutdown,
    stop_http: Shutdown,
    serving: Task<()>,
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
        let gateway = match &settings.gateway {
            None => None,
            Some(secrets) => Some(secrets.open(runtime, client_of(node.listeners(), runtime)?)?),
        };
        let (stop_http, draining) = (Shutdown::default(), Shutdown::default());
        let ops = Ops { probe: Arc::new(NodeProbe(node.probe())), draining: draining.clone() };
        let serving = serve_http(http, runtime, ops, gateway.clone(), stop_http.clone())?;
        Ok(Node { http: http_address, node, gateway, draining, stop_http, serving })
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
        self.draining.give();
        if let Some(gateway) = &self.gateway {
            gateway.drain();
            gateway.close().await;
        }
        self.stop_http.give();
        self.serving.await;
        self.node.stop().await;
    }
}

/// A client of the node itself, by the first of its listeners that needs no certificate.
fn client_of(listeners: &[Arc<Listener>], runtime: &Runtime) -> Result<Client> {
    let plain = listeners.iter().find(|listener| listener.tls.is_none());
    let plain = plain.context(
        "the gateway reaches the node without TLS: add a listener on 127.0.0.1, or run aquifer gateway",
    )?;
    let host = match plain.bind.ip() {
        ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
        ip => ip.to_string(),
    };
    let connection = ConnectionSettings {
        client_id: Text::from_static("aquifer-gateway"),
        ..ConnectionSettings::default()
    };
    let bootstrap = vec![Address { host, port: plain.bind.port() }];
    let settings = ClientSettings { bootstrap, connection, retry_for: RETRY_FOR };
    Ok(Client::new(runtime.clone(), Arc::new(TcpConnector), settings))
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
