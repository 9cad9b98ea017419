//! The configuration file: what may stand in it, and what it means.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use aquifer_net::{Advertised, Limits, Listener, TlsFiles};
use aquifer_types::NodeId;
use serde::Deserialize;

use crate::logging;
use crate::node::NodeSettings;

/// Every key with its default and what it does; `aquifer config default` prints it.
pub(crate) const REFERENCE: &str = include_str!("reference.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) node_id: i32,
    pub(crate) data_dir: PathBuf,
    #[serde(default)]
    bootstrap: bool,
    #[serde(default)]
    rack: Option<String>,
    http: SocketAddr,
    listeners: Vec<ListenerConfig>,
    #[serde(default)]
    topics: TopicsConfig,
    #[serde(default)]
    wal: WalConfig,
    #[serde(default)]
    pub(crate) log: LogConfig,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListenerConfig {
    name: String,
    bind: SocketAddr,
    #[serde(default)]
    advertised_host: Option<String>,
    #[serde(default)]
    advertised_port: Option<u16>,
    #[serde(default)]
    tls_certificate: Option<PathBuf>,
    #[serde(default)]
    tls_key: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TopicsConfig {
    auto_create: bool,
    default_partitions: i32,
}

impl Default for TopicsConfig {
    fn default() -> TopicsConfig {
        TopicsConfig { auto_create: false, default_partitions: 1 }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WalConfig {
    bytes: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogConfig {
    pub(crate) format: logging::Format,
    pub(crate) level: String,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig { format: logging::Format::Text, level: "info".to_owned() }
    }
}

impl Config {
    /// The file's contents. An error names key, value and line.
    pub(crate) fn load(file: &Path) -> Result<Config> {
        let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        toml::from_str(&text).with_context(|| format!("in {}", file.display()))
    }

    pub(crate) fn node_settings(self) -> Result<NodeSettings> {
        anyhow::ensure!(self.node_id >= 0, "node_id = {}: must be 0 or more", self.node_id);
        anyhow::ensure!(!self.listeners.is_empty(), "listeners: at least one is needed");
        let listeners =
            self.listeners.into_iter().map(ListenerConfig::into_listener).collect::<Result<_>>()?;
        Ok(NodeSettings {
            data_dir: self.data_dir,
            node: NodeId(self.node_id),
            listeners,
            http: self.http,
            broker: aquifer_broker::Settings {
                rack: self.rack,
                auto_create_topics: self.topics.auto_create,
                default_partitions: self.topics.default_partitions,
                ..aquifer_broker::Settings::default()
            },
            log: aquifer_hotlog::Settings {
                wal_bytes: self.wal.bytes,
                ..aquifer_hotlog::Settings::default()
            },
            limits: Limits::default(),
            bootstrap: self.bootstrap,
        })
    }
}

impl ListenerConfig {
    fn into_listener(self) -> Result<Listener> {
        let ListenerConfig { name, bind, advertised_host, advertised_port, tls_certificate, tls_key } = self;
        anyhow::ensure!(
            advertised_host.is_some() || !bind.ip().is_unspecified(),
            "listeners.{name}: bind = \"{bind}\" names no address that clients could use: set advertised_host"
        );
        let tls = match (tls_certificate, tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificates: certificate, key }),
            (None, None) => None,
            _ => anyhow::bail!("listeners.{name}: tls_certificate and tls_key go together"),
        };
        let host = advertised_host.unwrap_or_else(|| bind.ip().to_string());
        let port = advertised_port.unwrap_or(bind.port());
        Ok(Listener { name, bind, advertised: Advertised { host, port }, tls })
    }
}
