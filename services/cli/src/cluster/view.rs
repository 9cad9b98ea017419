//! The cluster, shown.

use aquifer_client::{Api, Broker, ClientError, Feature, LogDir};
use aquifer_runtime::Runtime;
use aquifer_types::NodeId;
use serde::Serialize;

use super::arguments::{ApisArguments, ClusterCommand, DisksArguments, PlainArguments};
use crate::failure::Failure;
use crate::output::{Format, Show};

#[derive(Debug, Serialize)]
struct Cluster {
    id: String,
    controller: Option<i32>,
    brokers: Vec<ShownBroker>,
}

#[derive(Debug, Serialize)]
struct ShownBroker {
    id: i32,
    address: String,
    rack: Option<String>,
    controller: bool,
    fenced: bool,
}

#[derive(Debug, Serialize)]
struct Replica {
    node: i32,
    role: &'static str,
    log_end: i64,
    lag: i64,
    epoch: i32,
}

#[derive(Debug, Serialize)]
struct Disk {
    broker: i32,
    path: String,
    error: Option<String>,
    total_bytes: Option<i64>,
    usable_bytes: Option<i64>,
    partitions: usize,
    bytes: i64,
}

#[derive(Debug, Serialize)]
struct OnDisk {
    broker: i32,
    path: String,
    topic: String,
    partition: i32,
    bytes: i64,
    lag: i64,
}

#[derive(Debug, Serialize)]
struct ShownFeature {
    name: String,
    min: i16,
    max: i16,
    finalized: Option<i16>,
}

#[derive(Debug, Serialize)]
struct ShownApi {
    key: i16,
    name: Option<&'static str>,
    min: i16,
    max: i16,
}

impl Show for ShownBroker {
    fn columns() -> &'static [&'static str] {
        &["ID", "ADDRESS", "RACK", "CONTROLLER", "STATE"]
    }

    fn cells(&self) -> Vec<String> {
        let controller = if self.controller { "*" } else { "" };
        let state = if self.fenced { "fenced" } else { "serving" };
        let rack = self.rack.clone().unwrap_or_default();
        vec![self.id.to_string(), self.address.clone(), rack, controller.to_owned(), state.to_owned()]
    }
}

impl Show for Cluster {
    fn columns() -> &'static [&'static str] {
        &["ID", "CONTROLLER", "BROKERS"]
    }

    fn cells(&self) -> Vec<String> {
        let controller = self.controller.map(|node| node.to_string()).unwrap_or_default();
        vec![self.id.clone(), controller, self.brokers.len().to_string()]
    }
}

impl Show for Replica {
    fn columns() -> &'static [&'static str] {
        &["NODE", "ROLE", "EPOCH", "LOG END", "LAG"]
    }

    fn cells(&self) -> Vec<String> {
        let role = self.role.to_owned();
        vec![
            self.node.to_string(),
            role,
            self.epoch.to_string(),
            self.log_end.to_string(),
            self.lag.to_string(),
        ]
    }
}

impl Show for Disk {
    fn columns() -> &'static [&'static str] {
        &["BROKER", "PARTITIONS", "BYTES", "USABLE", "TOTAL", "STATE", "PATH"]
    }

    fn cells(&self) -> Vec<String> {
        let number = |bytes: Option<i64>| bytes.map(|bytes| bytes.to_string()).unwrap_or_default();
        vec![
            self.broker.to_string(),
            self.partitions.to_string(),
            self.bytes.to_string(),
            number(self.usable_bytes),
            number(self.total_bytes),
            self.error.clone().unwrap_or_else(|| "online".to_owned()),
            self.path.clone(),
        ]
    }
}

impl Show for OnDisk {
    fn columns() -> &'static [&'static str] {
        &["BROKER", "TOPIC", "PARTITION", "BYTES", "LAG", "PATH"]
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.broker.to_string(),
            self.topic.clone(),
            self.partition.to_string(),
            self.bytes.to_string(),
            self.lag.to_string(),
            self.path.clone(),
        ]
    }
}

impl Show for ShownFeature {
    fn columns() -> &'static [&'static str] {
        &["NAME", "LEVEL", "MIN", "MAX"]
    }

    fn cells(&self) -> Vec<String> {
        let level = self.finalized.map(|level| level.to_string()).unwrap_or_default();
        vec![self.name.clone(), level, self.min.to_string(), self.max.to_string()]
    }
}

impl Show for ShownApi {
    fn columns() -> &'static [&'static str] {
        &["KEY", "NAME", "MIN", "MAX"]
    }

    fn cells(&self) -> Vec<String> {
        let name = self.name.unwrap_or("?").to_owned();
        vec![self.key.to_string(), name, self.min.to_string(), self.max.to_string()]
    }
}

pub(crate) async fn run(command: &ClusterCommand) -> Result<(), Failure> {
    let runtime = Runtime::real();
    match command {
        ClusterCommand::Describe(arguments) => describe(&runtime, arguments).await,
        ClusterCommand::Quorum(arguments) => quorum(&runtime, arguments).await,
        ClusterCommand::Disks(arguments) => disks(&runtime, arguments).await,
        ClusterCommand::Features(arguments) => features(&runtime, arguments).await,
        ClusterCommand::Apis(arguments) => apis(&runtime, arguments).await,
    }
}

async fn describe(runtime: &Runtime, arguments: &PlainArguments) -> Result<(), Failure> {
    let cluster = arguments.reach.client(runtime)?.describe_cluster().await;
    let cluster = cluster.map_err(|error| Failure::of_client("describe the cluster", &error))?;
    let broker = |broker: &Broker| ShownBroker {
        id: broker.node.0,
        address: broker.address.to_string(),
        rack: broker.rack.clone(),
        controller: cluster.controller == Some(broker.node),
        fenced: broker.is_fenced,
    };
    let shown = Cluster {
        id: cluster.id.clone(),
        controller: cluster.controller.map(|node| node.0),
        brokers: cluster.brokers.iter().map(broker).collect(),
    };
    let printer = arguments.reach.printer();
    if printer.format() != Format::Table {
        return printer.one(&shown);
    }
    printer.text(&format!("cluster {}\n", shown.id))?;
    printer.list(&shown.brokers)
}

async fn quorum(runtime: &Runtime, arguments: &PlainArguments) -> Result<(), Failure> {
    let quorum = arguments.reach.client(runtime)?.describe_quorum().await;
    let quorum = quorum.map_err(|error| Failure::of_client("describe the quorum", &error))?;
    let all = quorum.voters.iter().map(|voter| (voter, "voter"));
    let all = all.chain(quorum.observers.iter().map(|observer| (observer, "observer")));
    let shown = all.map(|(replica, role)| Replica {
        node: replica.node.0,
        role: if replica.node == quorum.leader { "leader" } else { role },
        log_end: replica.log_end,
        lag: (quorum.high_watermark - replica.log_end).max(0),
        epoch: quorum.epoch,
    });
    arguments.reach.printer().list(&shown.collect::<Vec<_>>())
}

async fn disks(runtime: &Runtime, arguments: &DisksArguments) -> Result<(), Failure> {
    let client = arguments.reach.client(runtime)?;
    let failed = |error: ClientError| Failure::of_client("ask for the brokers' disks", &error);
    let cluster = client.describe_cluster().await.map_err(failed)?;
    let mut dirs: Vec<LogDir> = Vec::new();
    for broker in cluster.brokers.iter().filter(|broker| !broker.is_fenced) {
        dirs.extend(client.log_dirs(broker.node).await.map_err(failed)?);
    }
    if arguments.partitions {
        let held = dirs.iter().flat_map(|dir| {
            dir.replicas.iter().map(|replica| OnDisk {
                broker: dir.node.0,
                path: dir.path.clone(),
                topic: replica.topic.clone(),
                partition: replica.partition,
                bytes: replica.bytes,
                lag: replica.lag,
            })
        });
        return arguments.reach.printer().list(&held.collect::<Vec<_>>());
    }
    let shown = dirs.into_iter().map(|dir| Disk {
        broker: dir.node.0,
        partitions: dir.replicas.len(),
        bytes: dir.replicas.iter().map(|replica| replica.bytes).sum(),
        path: dir.path,
        error: dir.error,
        total_bytes: dir.total_bytes,
        usable_bytes: dir.usable_bytes,
    });
    arguments.reach.printer().list(&shown.collect::<Vec<_>>())
}

async fn features(runtime: &Runtime, arguments: &PlainArguments) -> Result<(), Failure> {
    let features = arguments.reach.client(runtime)?.features().await;
    let features = features.map_err(|error| Failure::of_client("ask for features", &error))?;
    let shown = features.into_iter().map(|Feature { name, min, max, finalized }| ShownFeature {
        name,
        min,
        max,
        finalized,
    });
    arguments.reach.printer().list(&shown.collect::<Vec<_>>())
}

async fn apis(runtime: &Runtime, arguments: &ApisArguments) -> Result<(), Failure> {
    let apis = arguments.reach.client(runtime)?.apis(arguments.broker.map(NodeId)).await;
    let apis = apis.map_err(|error| Failure::of_client("ask for requests", &error))?;
    let shown = apis.into_iter().map(|Api { key, name, min, max }| ShownApi { key, name, min, max });
    arguments.reach.printer().list(&shown.collect::<Vec<_>>())
}
