//! Topics, shown.

use aquifer_client::{PartitionDescription, TopicDescription};
use aquifer_runtime::Runtime;
use aquifer_types::NodeId;
use serde::Serialize;

use super::arguments::{DescribeArguments, ListArguments};
use crate::failure::Failure;
use crate::output::{Format, Show};

#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    id: String,
    partitions: usize,
    replication: usize,
    internal: bool,
}

#[derive(Debug, Serialize)]
struct Described {
    name: String,
    id: String,
    internal: bool,
    partitions: Vec<Partition>,
}

#[derive(Debug, Serialize)]
struct Partition {
    #[serde(skip)]
    topic: String,
    partition: i32,
    leader: Option<i32>,
    epoch: Option<i32>,
    replicas: Vec<i32>,
    in_sync: Vec<i32>,
    offline: Vec<i32>,
}

impl Show for Listed {
    fn columns() -> &'static [&'static str] {
        &["NAME", "PARTITIONS", "REPLICATION", "ID"]
    }

    fn cells(&self) -> Vec<String> {
        vec![self.name.clone(), self.partitions.to_string(), self.replication.to_string(), self.id.clone()]
    }
}

impl Show for Described {
    fn columns() -> &'static [&'static str] {
        &["NAME", "PARTITIONS", "ID"]
    }

    fn cells(&self) -> Vec<String> {
        vec![self.name.clone(), self.partitions.len().to_string(), self.id.clone()]
    }
}

impl Show for Partition {
    fn columns() -> &'static [&'static str] {
        &["TOPIC", "PARTITION", "LEADER", "EPOCH", "REPLICAS", "IN SYNC", "OFFLINE"]
    }

    fn cells(&self) -> Vec<String> {
        let number = |number: Option<i32>| number.map_or_else(|| "none".to_owned(), |it| it.to_string());
        let numbers = |all: &[i32]| all.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
        vec![
            self.topic.clone(),
            self.partition.to_string(),
            number(self.leader),
            number(self.epoch),
            numbers(&self.replicas),
            numbers(&self.in_sync),
            numbers(&self.offline),
        ]
    }
}

impl From<&TopicDescription> for Listed {
    fn from(topic: &TopicDescription) -> Listed {
        Listed {
            name: topic.name.clone(),
            id: topic.id.to_string(),
            partitions: topic.partitions.len(),
            replication: topic.partitions.first().map_or(0, |partition| partition.replicas.len()),
            internal: topic.is_internal,
        }
    }
}

impl From<&TopicDescription> for Described {
    fn from(topic: &TopicDescription) -> Described {
        let partition = |it: &PartitionDescription| {
            let ids = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect();
            Partition {
                topic: topic.name.clone(),
                partition: it.index.0,
                leader: it.leader.map(|leader| leader.0),
                epoch: it.epoch.map(|epoch| epoch.0),
                replicas: ids(&it.replicas),
                in_sync: ids(&it.in_sync),
                offline: ids(&it.offline),
            }
        };
        Described {
            name: topic.name.clone(),
            id: topic.id.to_string(),
            internal: topic.is_internal,
            partitions: topic.partitions.iter().map(partition).collect(),
        }
    }
}

pub(super) async fn list(runtime: &Runtime, arguments: &ListArguments) -> Result<(), Failure> {
    let client = arguments.reach.client(runtime)?;
    let topics = client.topics().await.map_err(|error| Failure::of_client("list topics", &error))?;
    let shown = topics.iter().filter(|topic| arguments.internal || !topic.is_internal);
    arguments.reach.printer().list(&shown.map(Listed::from).collect::<Vec<_>>())
}

pub(super) async fn describe(runtime: &Runtime, arguments: &DescribeArguments) -> Result<(), Failure> {
    let client = arguments.reach.client(runtime)?;
    let mut described = Vec::new();
    for name in &arguments.topics {
        let topic = client.describe_topic(name).await;
        let topic = topic.map_err(|error| Failure::of_client(&format!("describe topic {name}"), &error))?;
        described.push(Described::from(&topic));
    }
    let printer = arguments.reach.printer();
    if printer.format() == Format::Table {
        let partitions: Vec<Partition> = described.into_iter().flat_map(|topic| topic.partitions).collect();
        return printer.list(&partitions);
    }
    printer.list(&described)
}
