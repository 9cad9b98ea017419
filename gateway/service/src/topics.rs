//! Topics: list, look at, create, change, delete.

use std::collections::BTreeMap;

use aquifer_client::{ConfigChange, ConfigSource, Resource, TopicDescription};
use aquifer_types::TopicId;
use aquifer_wire::ErrorCode;

use crate::gateway::Gateway;
use crate::refusal::{Code, Refusal};

/// A topic to be created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    pub partitions: Option<i32>,
    pub replication_factor: Option<i16>,
    pub configs: BTreeMap<String, String>,
}

/// What is to become of a topic; what is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicChange {
    pub partitions: Option<i32>,
    /// Without a value back to the default.
    pub configs: BTreeMap<String, Option<String>>,
}

/// Whether a topic came about or was there already, just so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicCreated {
    Fresh(TopicView),
    Found(TopicView),
}

/// A topic as callers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicView {
    pub name: String,
    pub id: TopicId,
    pub is_internal: bool,
    pub partitions: Vec<PartitionView>,
    /// Only where they were asked for.
    pub configs: Vec<ConfigView>,
}

/// A partition, its leader and its copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionView {
    pub index: i32,
    pub leader: Option<i32>,
    pub replicas: Vec<i32>,
    pub in_sync: Vec<i32>,
}

/// A config as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigView {
    pub name: String,
    pub value: Option<String>,
    pub source: &'static str,
    pub is_default: bool,
}

impl Gateway {
    /// All topics by name; without their configs.
    pub async fn topics(&self) -> Result<Vec<TopicView>, Refusal> {
        let topics = self.client().topics().await.map_err(|error| Refusal::of_client(&error))?;
        Ok(topics.into_iter().map(|topic| view(topic, Vec::new())).collect())
    }

    /// The brokers that run, by their ids.
    pub async fn brokers(&self) -> Result<Vec<i32>, Refusal> {
        let cluster = self.client().describe_cluster().await.map_err(|error| Refusal::of_client(&error))?;
        let running = cluster.brokers.iter().filter(|broker| !broker.is_fenced);
        Ok(running.map(|broker| broker.node.0).collect())
    }

    pub async fn topic(&self, name: &str) -> Result<TopicView, Refusal> {
        let refused = |error| Refusal::of_client(&error).at(name, None);
        let described = self.client().describe_topic(name).await.map_err(refused)?;
        let configs = self.client().describe_configs(&Resource::Topic(name.to_owned())).await;
        let configs = configs.map_err(refused)?.into_iter().map(|entry| ConfigView {
            name: entry.name,
            value: entry.value,
            source: entry.source.name(),
            is_default: entry.source != ConfigSource::Topic,
        });
        Ok(view(described, configs.collect()))
    }

    /// Has a topic be there. One that is there already must look as it is asked for.
    pub async fn create_topic(&self, name: &str, wanted: &NewTopic) -> Result<TopicCreated, Refusal> {
        let new = aquifer_client::NewTopic {
            name: name.to_owned(),
            partitions: wanted.partitions,
            replication_factor: wanted.replication_factor,
            configs: wanted.configs.clone(),
        };
        match self.client().create_topic(&new).await {
            Ok(_) => Ok(TopicCreated::Fresh(self.topic(name).await?)),
            Err(error) if error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) => {
                let found = self.topic(name).await?;
                differs(&found, wanted)
                    .map_or(Ok(()), |how| Err(Refusal::new(Code::TopicExists, how).at(name, None)))?;
                Ok(TopicCreated::Found(found))
            }
            Err(error) => Err(Refusal::of_client(&error).at(name, None)),
        }
    }

    /// Changes configs, then adds partitions.
    pub async fn change_topic(&self, name: &str, change: &TopicChange) -> Result<TopicView, Refusal> {
        let refused = |error| Refusal::of_client(&error).at(name, None);
        if !change.configs.is_empty() {
            let changes: Vec<_> = change
                .configs
                .iter()
                .map(|(name, value)| match value {
                    Some(value) => ConfigChange::Set { name: name.clone(), value: value.clone() },
                    None => ConfigChange::Unset { name: name.clone() },
                })
                .collect();
            let resource = Resource::Topic(name.to_owned());
            self.client().alter_configs(&resource, &changes, false).await.map_err(refused)?;
        }
        if let Some(count) = change.partitions {
            let there = self.client().describe_topic(name).await.map_err(refused)?.partitions.len();
            if usize::try_from(count).ok() != Some(there) {
                self.client().create_partitions(name, count, false).await.map_err(refused)?;
            }
        }
        self.topic(name).await
    }

    pub async fn delete_topic(&self, name: &str) -> Result<(), Refusal> {
        let deleted = self.client().delete_topic(name).await;
        deleted.map_err(|error| Refusal::of_client(&error).at(name, None))
    }
}

/// In what a topic is not as it was asked for.
fn differs(found: &TopicView, wanted: &NewTopic) -> Option<String> {
    let there = found.partitions.len();
    if let Some(count) = wanted.partitions.filter(|count| usize::try_from(*count).ok() != Some(there)) {
        return Some(format!("the topic has {there} partitions, not {count}"));
    }
    let value = |name: &str| found.configs.iter().find(|config| config.name == name)?.value.as_deref();
    let other = wanted.configs.iter().find(|(name, wanted)| value(name) != Some(wanted))?;
    let (name, wanted) = other;
    let there = value(name).unwrap_or("nothing");
    Some(format!("the topic's {name} is {there}, not {wanted}"))
}

fn view(topic: TopicDescription, configs: Vec<ConfigView>) -> TopicView {
    let partitions = topic.partitions.iter().map(|partition| PartitionView {
        index: partition.index.0,
        leader: partition.leader.map(|node| node.0),
        replicas: partition.replicas.iter().map(|node| node.0).collect(),
        in_sync: partition.in_sync.iter().map(|node| node.0).collect(),
    });
    let partitions = partitions.collect();
    TopicView { name: topic.name, id: topic.id, is_internal: topic.is_internal, partitions, configs }
}
