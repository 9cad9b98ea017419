//! `aquifer tier mount`: a bucket's topics as they stand in it, read-only, beside the cluster that goes on writing them.

use std::process::ExitCode;
use std::sync::Arc;

use aquifer_broker::TierSettings;
use aquifer_cli::{Exit, Failure, Format, Moment};
use aquifer_disk::{Disk, RealDisk};
use aquifer_net::Limits;
use aquifer_restore::{Options, Report, restore};
use aquifer_runtime::Runtime;
use aquifer_types::{ClusterId, NodeId};

use crate::dev::{local, local_listener};
use crate::gateway::GatewaySecrets;
use crate::logging;
use crate::node::{Node, NodeSettings};
use crate::restore::{failure, point_in_time, time};
use crate::server::run_until_stopped;

/// What `aquifer tier mount` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct MountArguments {
    /// The bucket: what the cluster has as tier.url
    #[arg(long, value_name = "URL")]
    from: String,
    /// Which cluster, where several share the bucket
    #[arg(long, value_name = "ID")]
    cluster: Option<ClusterId>,
    /// Leave out what was uploaded later, e.g. @-2h or @2026-11-01T12:00Z
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    at: Option<Moment>,
    /// The port for Kafka clients
    #[arg(long, value_name = "P", default_value_t = 9092)]
    kafka_port: u16,
    /// The port for HTTP
    #[arg(long, value_name = "H", default_value_t = 8080)]
    http_port: u16,
}

pub(crate) fn run(arguments: &MountArguments, format: Format) -> ExitCode {
    match attempt(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(format);
            failure.exit.into()
        }
    }
}

fn attempt(arguments: &MountArguments) -> Result<(), Failure> {
    let failed = |doing: &str, error: &dyn std::fmt::Display| {
        Failure::new(Exit::Failed, format!("mount: {doing}: {error}"))
    };
    let folder = tempfile::Builder::new().prefix("aquifer-mount-").tempdir();
    let folder = folder.map_err(|error| failed("make a temporary folder", &error))?;
    logging::start(logging::Format::Text, "warn");
    let runtime = Runtime::real();
    let options = Options {
        url: arguments.from.clone(),
        cluster: arguments.cluster,
        data_dir: folder.path().join("data"),
        node: NodeId(0),
        topics: Vec::new(),
        at: arguments.at.and_then(|at| at.time(runtime.now().wall)),
        dry_run: false,
        is_mount: true,
    };
    let reactor = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let reactor = reactor.map_err(|error| failed("start the reactor", &error))?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let report =
        reactor.block_on(restore(&options, &disk, &runtime)).map_err(|error| failure("mount", &error))?;
    drop(reactor);
    let served = run_until_stopped(&runtime, settings(arguments, &options), |node| tell(node, &report));
    served.map_err(|error| failed("serve", &format!("{error:#}")))
}

fn settings(arguments: &MountArguments, options: &Options) -> NodeSettings {
    let mut tier = TierSettings::new(options.url.clone());
    tier.is_read_only = true;
    let node = aquifer_node::Settings {
        data_dir: options.data_dir.clone(),
        node: options.node,
        bootstrap: false,
        broker: aquifer_broker::Settings { tier: Some(tier), ..aquifer_broker::Settings::default() },
        log: aquifer_hotlog::Settings::default(),
        limits: Limits::default(),
        snapshot_entries: None,
    };
    NodeSettings {
        listeners: vec![local_listener(arguments.kafka_port)],
        http: local(arguments.http_port),
        gateway: Some(GatewaySecrets::kept_in(&options.data_dir)),
        node,
    }
}

/// Says what is served where, and how old it is, as one JSON line.
fn tell(node: &Node, report: &Report) {
    let kafka = &node.listeners()[0].advertised;
    let facts = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "mode": "mount",
        "cluster": node.cluster().to_string(),
        "kafka": format!("{}:{}", kafka.host, kafka.port),
        "http": node.http.to_string(),
        "topics": report.topics,
        "state_of": time(report.state_written_ms),
        "problems": report.problems,
    });
    println!("{facts}");
}
