//! Configs of topics, brokers and groups: read them, change single ones.

use aquifer_types::NodeId;
use aquifer_wire::Text;
use aquifer_wire::messages::describe_configs_request::DescribeConfigsResource;
use aquifer_wire::messages::describe_configs_response::DescribeConfigsResourceResult;
use aquifer_wire::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use aquifer_wire::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use crate::client::Client;
use crate::connection::Connection;
use crate::error::ClientError;

/// What has configs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    Topic(String),
    /// One broker; without a node, the defaults of all.
    Broker(Option<NodeId>),
    Group(String),
}

/// A config as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    pub name: String,
    /// Nothing where it is secret, or set to nothing.
    pub value: Option<String>,
    pub source: ConfigSource,
    pub is_read_only: bool,
    pub is_sensitive: bool,
    pub documentation: Option<String>,
}

/// Where a config's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigSource {
    Topic,
    Broker,
    ClusterDefault,
    File,
    Default,
    Group,
    Unknown,
}

/// One change to a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigChange {
    Set {
        name: String,
        value: String,
    },
    /// Back to its default.
    Unset {
        name: String,
    },
}

impl Resource {
    fn kind(&self) -> i8 {
        match self {
            Resource::Topic(_) => 2,
            Resource::Broker(_) => 4,
            Resource::Group(_) => 32,
        }
    }

    fn name(&self) -> String {
        match self {
            Resource::Topic(name) | Resource::Group(name) => name.clone(),
            Resource::Broker(node) => node.map(|node| node.to_string()).unwrap_or_default(),
        }
    }
}

impl ConfigSource {
    fn of(number: i8) -> ConfigSource {
        match number {
            1 => ConfigSource::Topic,
            2 => ConfigSource::Broker,
            3 => ConfigSource::ClusterDefault,
            4 => ConfigSource::File,
            5 => ConfigSource::Default,
            8 => ConfigSource::Group,
            _ => ConfigSource::Unknown,
        }
    }

    /// A word for people and scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ConfigSource::Topic => "topic",
            ConfigSource::Broker => "broker",
            ConfigSource::ClusterDefault => "cluster",
            ConfigSource::File => "file",
            ConfigSource::Default => "default",
            ConfigSource::Group => "group",
            ConfigSource::Unknown => "unknown",
        }
    }
}

impl Client {
    /// All configs of something, by name.
    pub async fn describe_configs(&self, resource: &Resource) -> Result<Vec<ConfigEntry>, ClientError> {
        let asked = DescribeConfigsResource {
            resource_type: resource.kind(),
            resource_name: Text::from(resource.name()),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest {
            resources: vec![asked],
            include_synonyms: false,
            include_documentation: true,
        };
        let mut retry = self.retry();
        loop {
            match self.describe_configs_once(resource, &request).await {
                Ok(entries) => return Ok(entries),
                Err(error) if error.is_unknown_topic() => return Err(error),
                Err(error) => retry.after(error, None).await?,
            }
        }
    }

    async fn describe_configs_once(
        &self,
        resource: &Resource,
        request: &DescribeConfigsRequest,
    ) -> Result<Vec<ConfigEntry>, ClientError> {
        let response = self.keeper_of(resource).await?.call(request).await?;
        let described = response.results.first().ok_or(ClientError::Incomplete("the configs"))?;
        ClientError::check(described.error_code, described.error_message.as_ref())?;
        let mut entries: Vec<ConfigEntry> = described.configs.iter().map(entry).collect();
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    /// Changes configs of something, all or none; with `dry_run` says whether that would do.
    pub async fn alter_configs(
        &self,
        resource: &Resource,
        changes: &[ConfigChange],
        dry_run: bool,
    ) -> Result<(), ClientError> {
        let configs = changes.iter().map(|change| match change {
            ConfigChange::Set { name, value } => AlterableConfig {
                name: Text::from(name.as_str()),
                config_operation: 0,
                value: Some(Text::from(value.as_str())),
            },
            ConfigChange::Unset { name } => {
                AlterableConfig { name: Text::from(name.as_str()), config_operation: 1, value: None }
            }
        });
        let altered = AlterConfigsResource {
            resource_type: resource.kind(),
            resource_name: Text::from(resource.name()),
            configs: configs.collect(),
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![altered], validate_only: dry_run };
        let mut retry = self.retry();
        loop {
            match self.alter_configs_once(resource, &request).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_unknown_topic() => return Err(error),
                Err(error) => retry.after(error, None).await?,
            }
        }
    }

    async fn alter_configs_once(
        &self,
        resource: &Resource,
        request: &IncrementalAlterConfigsRequest,
    ) -> Result<(), ClientError> {
        let response = self.keeper_of(resource).await?.call(request).await?;
        let altered = response.responses.first().ok_or(ClientError::Incomplete("the configs"))?;
        ClientError::check(altered.error_code, altered.error_message.as_ref())
    }

    /// Who can say what is in force: a broker for its own configs, else the controller.
    async fn keeper_of(&self, resource: &Resource) -> Result<Connection, ClientError> {
        match resource {
            Resource::Broker(Some(node)) => self.connection(*node).await,
            _ => self.controller().await,
        }
    }
}

fn entry(entry: &DescribeConfigsResourceResult) -> ConfigEntry {
    ConfigEntry {
        name: entry.name.to_string(),
        value: entry.value.as_ref().map(Text::to_string),
        source: ConfigSource::of(entry.config_source),
        is_read_only: entry.read_only,
        is_sensitive: entry.is_sensitive,
        documentation: entry.documentation.as_ref().map(Text::to_string).filter(|text| !text.is_empty()),
    }
}
