//! Topics: create, delete, read their configs.

use std::collections::BTreeMap;

use aquifer_types::TopicId;
use aquifer_wire::Text;
use aquifer_wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use aquifer_wire::messages::delete_topics_request::DeleteTopicState;
use aquifer_wire::messages::describe_configs_request::DescribeConfigsResource;
use aquifer_wire::messages::{CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest};

use crate::client::Client;
use crate::error::ClientError;

const RESOURCE_TOPIC: i8 = 2;
const TIMEOUT_MS: i32 = 25_000;

/// A topic to be created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    /// The broker's default if absent.
    pub partitions: Option<i32>,
    pub replication_factor: Option<i16>,
    pub configs: BTreeMap<String, String>,
}

/// A topic's configs by name, with those that nobody set.
pub type TopicConfig = BTreeMap<String, Option<String>>;

impl Client {
    /// Creates a topic. One that is there already is an error, also where a lost answer made us ask twice.
    pub async fn create_topic(&self, topic: &NewTopic) -> Result<TopicId, ClientError> {
        let request = creation(topic);
        let mut retry = self.retry();
        loop {
            match self.create_once(&request).await {
                Ok(id) => return Ok(id),
                Err(error) => retry.after(error, Some(&topic.name)).await?,
            }
        }
    }

    async fn create_once(&self, request: &CreateTopicsRequest) -> Result<TopicId, ClientError> {
        let response = self.controller().await?.call(request).await?;
        let created = response.topics.first().ok_or(ClientError::Incomplete("the topic"))?;
        ClientError::check(created.error_code, created.error_message.as_ref())?;
        Ok(TopicId(created.topic_id))
    }

    /// Deletes a topic.
    pub async fn delete_topic(&self, name: &str) -> Result<(), ClientError> {
        let state = DeleteTopicState { name: Some(Text::from(name)), ..DeleteTopicState::default() };
        let mut retry = self.retry();
        loop {
            match self.delete_once(name, &state).await {
                Ok(()) => return Ok(()),
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
        let resource = DescribeConfigsResource {
            resource_type: RESOURCE_TOPIC,
            resource_name: Text::from(name),
            configuration_keys: None,
        };
        let request =
            DescribeConfigsRequest { resources: vec![resource], ..DescribeConfigsRequest::default() };
        let mut retry = self.retry();
        loop {
            match self.describe_once(&request).await {
                Ok(config) => return Ok(config),
                Err(error) => retry.after(error, None).await?,
            }
        }
    }

    async fn describe_once(&self, request: &DescribeConfigsRequest) -> Result<TopicConfig, ClientError> {
        let response = self.call_any(request).await?;
        let described = response.results.first().ok_or(ClientError::Incomplete("the topic"))?;
        ClientError::check(described.error_code, described.error_message.as_ref())?;
        let values = described.configs.iter();
        Ok(values.map(|entry| (entry.name.to_string(), entry.value.as_ref().map(Text::to_string))).collect())
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
