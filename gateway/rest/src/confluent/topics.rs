//! Topics, partitions and brokers as this API shows them.

use std::collections::BTreeMap;

use aquifer_gateway::{Code, From, PartitionView, TopicView};
use aquifer_types::PartitionIndex;
use serde::Serialize;

use super::fault::Fault;
use super::media::Shown;
use crate::caller::Caller;
use crate::extract::Named;

#[derive(Serialize)]
pub(super) struct Topic {
    name: String,
    configs: BTreeMap<String, String>,
    partitions: Vec<Partition>,
}

#[derive(Serialize)]
pub(super) struct Partition {
    partition: i32,
    leader: i32,
    replicas: Vec<Replica>,
}

#[derive(Serialize)]
struct Replica {
    broker: i32,
    leader: bool,
    in_sync: bool,
}

#[derive(Serialize)]
pub(super) struct Brokers {
    brokers: Vec<i32>,
}

#[derive(Serialize)]
pub(super) struct Offsets {
    beginning_offset: i64,
    end_offset: i64,
}

impl std::convert::From<PartitionView> for Partition {
    fn from(view: PartitionView) -> Partition {
        let replicas = view.replicas.iter().map(|broker| Replica {
            broker: *broker,
            leader: view.leader == Some(*broker),
            in_sync: view.in_sync.contains(broker),
        });
        Partition { partition: view.index, leader: view.leader.unwrap_or(-1), replicas: replicas.collect() }
    }
}

impl std::convert::From<TopicView> for Topic {
    fn from(view: TopicView) -> Topic {
        let configs = view.configs.into_iter().filter_map(|config| Some((config.name, config.value?)));
        Topic {
            name: view.name,
            configs: configs.collect(),
            partitions: view.partitions.into_iter().map(Partition::from).collect(),
        }
    }
}

pub(super) async fn list(Caller { door, .. }: Caller) -> Result<Shown<Vec<String>>, Fault> {
    let topics = door.gateway.topics().await?;
    Ok(Shown(topics.into_iter().map(|topic| topic.name).collect()))
}

pub(super) async fn one(
    Caller { door, .. }: Caller,
    Named(topic): Named<String>,
) -> Result<Shown<Topic>, Fault> {
    Ok(Shown(door.gateway.topic(&topic).await?.into()))
}

pub(super) async fn partitions(
    Caller { door, .. }: Caller,
    Named(topic): Named<String>,
) -> Result<Shown<Vec<Partition>>, Fault> {
    let topic = door.gateway.topic(&topic).await?;
    Ok(Shown(topic.partitions.into_iter().map(Partition::from).collect()))
}

pub(super) async fn partition(
    Caller { door, .. }: Caller,
    Named((topic, index)): Named<(String, i32)>,
) -> Result<Shown<Partition>, Fault> {
    let found =
        door.gateway.topic(&topic).await?.partitions.into_iter().find(|partition| partition.index == index);
    let found = found
        .ok_or_else(|| Fault::new(Code::UnknownPartition, format!("{topic} has no partition {index}")))?;
    Ok(Shown(found.into()))
}

pub(super) async fn offsets(
    Caller { door, .. }: Caller,
    Named((topic, index)): Named<(String, i32)>,
) -> Result<Shown<Offsets>, Fault> {
    door.gateway.topic_of(&topic, index).await?;
    let partition = PartitionIndex(index);
    let start = door.gateway.resolve(&topic, partition, &From::Earliest).await?;
    let end = door.gateway.resolve(&topic, partition, &From::Latest).await?;
    Ok(Shown(Offsets { beginning_offset: start.0, end_offset: end.0 }))
}

pub(super) async fn brokers(Caller { door, .. }: Caller) -> Result<Shown<Brokers>, Fault> {
    Ok(Shown(Brokers { brokers: door.gateway.brokers().await? }))
}
