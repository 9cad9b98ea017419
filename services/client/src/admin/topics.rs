//! Topics: list, describe, create, give partitions, delete.

use std::collections::BTreeMap;

use aquifer_types::{LeaderEpoch, NodeId, PartitionIndex, TopicId};
use aquifer_wire::Text;
use aquifer_wire::messages::create_partitions_request::CreatePartitionsTopic;
use aquifer_wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use aquifer_wire::messages::delete_topics_request::DeleteTopicState;
use aquifer_wire::messages::metadata_response::MetadataResponseTopic;
use aquifer_wire::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest,
};

use super::configs::Resource;
use crate::client::Client;
use crate::error::ClientError;

pub(super) const TIMEOUT_MS: i32 = 25_000;

/// A topic to be created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    /// The broker's default if absent.
    pub partitions: Option<i32>,
    pub replication_factor: Option<i16>,
    pub configs: BTreeMap<String, String>,
}

/// A topic as it was created, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Nothing where it was only tried out.
    pub id: Option<TopicId>,
    /// Nothing where the broker does not say.
    pub partitions: Option<i32>,
    pub replication_factor: Option<i16>,
}

/// A topic's configs by name, with those that nobody set.
pub type TopicConfig = BTreeMap<String, Option<String>>;

/// A topic with everything that brokers say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    pub name: String,
    pub id: TopicId,
    pub is_internal: bool,
    pub partitions: Vec<PartitionDescription>,
}

/// A partition, its leader and its copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDescription {
    pub index: PartitionIndex,
    pub leader: Option<NodeId>,
    pub epoch: Option<LeaderEpoch>,
    pub replicas: Vec<NodeId>,
    pub in_sync: Vec<NodeId>,
    pub offline: Vec<NodeId>,
}

impl Client {
    /// All topics, by name.
    pub async fn topics(&self) -> Result<Vec<TopicDescription>, ClientError> {
        let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
        let mut retry = self.retry();
        loop {
            match self.call_any(&request).await {
                Ok(response) => {
                    ClientError::check(response.error_code, None)?;
                    let mut topics: Vec<_> = response
                        .topics
                        .iter()
                        .filter(|topic| topic.error_code.is_none())
                        .map(described)
                        .collect();
                    topics.sort_by(|left, right| left.name.cmp(&right.name));
                    return Ok(topics);
                }
                Err(error) => retry.after(error, None).await?,
            }
        }
    }

    /// One topic.
    pub async fn describe_topic(&self, name: &str) -> Result<TopicDescription, ClientError> {
        // What is asked here brokers answer for certain; this waits for a topic that was just created.
        self.topic_when_known(name).await?;
        let response = self.refresh(&[name]).await?;
        let topic = response.topics.first().ok_or(ClientError::Incomplete("the topic"))?;
        ClientError::check(topic.error_code, None)?;
        Ok(described(topic))
    }

    /// Creates a topic. One that is there already is an error, also where a lost answer made us ask twice.
    pub async fn create_topic(&self, topic: &NewTopic) -> Result<TopicId, ClientError> {
        let created = self.create_topic_or_try(topic, false).await?;
        created.id.ok_or(ClientError::Incomplete("the topic's id"))
    }

    /// Creates a topic, or, with `dry_run`, says whether that would do.
    pub async fn create_topic_or_try(
        &self,
        topic: &NewTopic,
        dry_run: bool,
    ) -> Result<CreatedTopic, ClientError> {
        let request = CreateTopicsRequest { validate_only: dry_run, ..creation(topic) };
        let mut retry = self.retry();
        loop {
            match self.create_once(&request).await {
                Ok(created) => return Ok(created),
                Err(error) => retry.after(error, Some(&topic.name)).await?,
            }
        }
    }

    async fn create_once(&self, request: &CreateTopicsRequest) -> Result<CreatedTopic, ClientError> {
        let response = self.controller().await?.call(request).await?;
        let created = response.topics.first().ok_or(ClientError::Incomplete("the topic"))?;
        ClientError::check(created.error_code, created.error_message.as_ref())?;
        Ok(CreatedTopic {
            id: Some(TopicId(created.topic_id)).filter(|id| !id.0.is_zero()),
            partitions: Some(created.num_partitions).filter(|count| *count >= 0),
            replication_factor: Some(created.replication_factor).filter(|count| *count >= 0),
        })
    }

    /// Gives a topic partitions, so that it has `count` of them; with `dry_run` says whether that would do.
    pub async fn create_partitions(&self, name: &str, count: i32, dry_run: bool) -> Result<(), ClientError> {
        let topic = CreatePartitionsTopic { name: Text::from(name), count, assignments: None };
        let request =
            CreatePartitionsRequest { topics: vec![topic], timeout_ms: TIMEOUT_MS, validate_only: dry_run };
        let mut retry = self.retry();
        loop {
            match self.create_partitions_once(&request).await {
                Err(error) if error.is_unknown_topic() => return Err(error),
                Err(error) => retry.after(error, Some(name)).await?,
                Ok(()) => {
                    self.forget(name);
                    return Ok(());
                }
            }
        }
    }

    async fn create_partitions_once(&self, request: &CreatePartitionsRequest) -> Result<(), ClientError> {
        let response = self.controller().await?.call(request).await?;
        let created = response.results.first().ok_or(ClientError::Incomplete("the topic"))?;
        ClientError::check(created.error_code, created.error_message.as_ref())
    }

    /// Deletes a topic.
    pub async fn delete_topic(&self, name: &str) -> Result<(), ClientError> {
        let state = DeleteTopicState { name: Some(Text::from(name)), ..DeleteTopicState::default() };
        let mut retry = self.retry();
        loop {
            match self.delete_once(name, &state).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_unknown_topic() => return Err(error),
                Err(error) => retry.after(error, Some(name)).await?,
            }
        }
    }

    async fn delete_once(&self, name: &str, state: &DeleteTopicState) -> Result<(), ClientError> {
        let connection = self.controller().await?;
        let by_state = connection.version::<DeleteTopicsRequest>()? >= 6;
        let request = DeleteTopicsRequest {
            topics: if by_state { vec![state.clone()] } else { Vec::new() },
            topic_names: vec![Text::from(name)],
            timeout_ms: TIMEOUT_MS,
        };
        let response = connection.call(&request).await?;
        let deleted = response.responses.first().ok_or(ClientError::Incomplete("the topic"))?;
        ClientError::check(deleted.error_code, deleted.error_message.as_ref())?;
        self.forget(name);
        Ok(())
    }

    /// A topic's configs as they are in force.
    pub async fn topic_config(&self, name: &str) -> Result<TopicConfig, ClientError> {
        let entries = self.describe_configs(&Resource::Topic(name.to_owned())).await?;
        Ok(entries.into_iter().map(|entry| (entry.name, entry.value)).collect())
    }
}

fn described(topic: &MetadataResponseTopic) -> TopicDescription {
    let nodes = |ids: &[i32]| ids.iter().map(|id| NodeId(*id)).collect();
    let mut partitions: Vec<_> = topic
        .partitions
        .iter()
        .map(|partition| PartitionDescription {
            index: PartitionIndex(partition.partition_index),
            leader: Some(NodeId(partition.leader_id)).filter(|leader| leader.0 >= 0),
            epoch: Some(LeaderEpoch(partition.leader_epoch)).filter(|epoch| epoch.0 >= 0),
            replicas: nodes(&partition.replica_nodes),
            in_sync: nodes(&partition.isr_nodes),
            offline: nodes(&partition.offline_replicas),
        })
        .collect();
    partitions.sort_by_key(|partition| partition.index);
    TopicDescription {
        name: topic.name.as_deref().unwrap_or_default().to_owned(),
        id: TopicId(topic.topic_id),
        is_internal: topic.is_internal,
        partitions,
    }
}

fn creation(topic: &NewTopic) -> CreateTopicsRequest {
    let configs = topic.configs.iter();
    let creatable = CreatableTopic {
        name: Text::from(topic.name.as_str()),
        num_partitions: topic.partitions.unwrap_or(-1),
        replication_factor: topic.replication_factor.unwrap_or(-1),
        assignments: Vec::new(),
        configs: configs
            .map(|(name, value)| CreatableTopicConfig {
                name: Text::from(name.as_str()),
                value: Some(Text::from(value.as_str())),
            })
            .collect(),
    };
    CreateTopicsRequest { topics: vec![creatable], timeout_ms: TIMEOUT_MS, validate_only: false }
}
