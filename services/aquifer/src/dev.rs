//! `aquifer dev`: a node without configuration, and the lines that say what runs where.

use std::io::IsTerminal as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use aquifer_broker::TierSettings;
use aquifer_net::{Advertised, Limits, Listener};
use aquifer_runtime::{Now, Runtime};
use aquifer_types::NodeId;

use crate::command::DevArguments;
use crate::gateway::GatewaySecrets;
use crate::logging;
use crate::node::{Node, NodeSettings};
use crate::server::run_until_stopped;

pub(crate) fn run(arguments: &DevArguments) -> Result<()> {
    let temporary = match &arguments.data_dir {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new().prefix("aquifer-dev-").tempdir().context("make a temporary folder")?,
        ),
    };
    let data_dir = match (&arguments.data_dir, &temporary) {
        (Some(chosen), _) => chosen.clone(),
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => PathBuf::from("."),
    };
    logging::start(logging::Format::Text, "warn");
    let runtime = Runtime::real();
    let started = runtime.now();
    let settings = settings(arguments, &data_dir);
    run_until_stopped(&runtime, settings, |node| {
        tell(node, &data_dir, temporary.is_some(), elapsed(&runtime, started));
    })
}

fn settings(arguments: &DevArguments, data_dir: &Path) -> NodeSettings {
    let tier = tier(arguments.tier.as_deref(), data_dir);
    let node = aquifer_node::Settings {
        data_dir: data_dir.to_owned(),
        node: NodeId(0),
        bootstrap: true,
        broker: aquifer_broker::Settings {
            auto_create_topics: true,
            // Whoever tries things out is alone, and waits for nobody.
            groups: aquifer_group::Settings {
                initial_rebalance_delay_ms: 0,
                ..aquifer_group::Settings::default()
            },
            new_topics: if arguments.tier.is_some() && tier.is_some() {
                settings_of(&[TIERED])
            } else {
                Vec::new()
            },
            auto_topics: if tier.is_some() {
                settings_of(&[TIERED, ("local.retention.ms", "45000")])
            } else {
                Vec::new()
            },
            tier,
            ..aquifer_broker::Settings::default()
        },
        log: aquifer_hotlog::Settings::default(),
        limits: Limits::default(),
        snapshot_entries: None,
    };
    NodeSettings {
        listeners: vec![local_listener(arguments.kafka_port)],
        http: local(arguments.http_port),
        gateway: Some(GatewaySecrets::kept_in(data_dir)),
        node,
    }
}

/// An address that only this machine reaches.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Kafka's protocol for whoever is on this machine.
pub(crate) fn local_listener(port: u16) -> Listener {
    Listener {
        name: "PLAINTEXT".to_owned(),
        bind: local(port),
        advertised: Advertised { host: "127.0.0.1".to_owned(), port },
        tls: None,
    }
}

/// What has a topic tiered.
const TIERED: (&str, &str) = ("remote.storage.enable", "true");

/// Quick enough that the first minute shows records move from hot to both to cold.
fn tier(chosen: Option<&str>, data_dir: &Path) -> Option<TierSettings> {
    let url = match chosen {
        Some("none") => return None,
        Some(url) => url.to_owned(),
        None => {
            let folder = std::path::absolute(data_dir.join("tier")).unwrap_or_else(|_| data_dir.join("tier"));
            format!("file://{}", folder.display())
        }
    };
    let mut settings = TierSettings::new(url);
    settings.max_age = Duration::from_secs(15);
    settings.grace = Duration::from_secs(60);
    settings.state_interval = Duration::from_secs(3);
    Some(settings)
}

fn settings_of(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn elapsed(runtime: &Runtime, started: Now) -> Duration {
    runtime.now().monotonic.since(started.monotonic)
}

/// Says what runs where and what to try next; as one JSON line where nobody reads along.
fn tell(node: &Node, data_dir: &Path, temporary: bool, took: Duration) {
    let kafka = &node.listeners()[0].advertised;
    let (kafka, http) = (format!("{}:{}", kafka.host, kafka.port), node.http);
    if !std::io::stdout().is_terminal() {
        let facts = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "mode": "dev",
            "cluster": node.cluster().to_string(),
            "kafka": kafka,
            "http": http.to_string(),
            "data_dir": data_dir,
            "temporary": temporary,
            "ready_ms": took.as_millis(),
        });
        println!("{facts}");
        return;
    }
    let kept = if temporary { "in a temporary folder, gone at exit" } else { "kept" };
    println!("aquifer {}  development mode, 127.0.0.1 only", env!("CARGO_PKG_VERSION"));
    println!("  Kafka    {kafka}");
    println!("  HTTP     http://{http}/v1/docs   /healthz  /readyz  /metrics");
    println!("  Data     {} ({kept})", data_dir.display());
    println!("  Cluster  {}", node.cluster());
    println!("Try it, from another terminal:");
    println!("  echo 'hello' | kcat -b {kafka} -t demo -P");
    println!("  kcat -b {kafka} -t demo -C -o beginning -e");
    println!(
        "  curl -H 'content-type: application/json' http://{http}/v1/topics/demo/records -d '{{\"records\":[{{\"value_text\":\"hi\"}}]}}'"
    );
    println!("  curl 'http://{http}/v1/topics/demo/partitions/0/records?from=earliest'");
    println!("ready in {} ms; Ctrl-C stops", took.as_millis());
}
