//! `ConfigResource`: what configs are set on.

use aquifer_types::{NodeId, TopicName};

/// Something that has configs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigResource {
    Topic(TopicName),
    /// One broker, or with none all of them.
    Broker(Option<NodeId>),
    Group(String),
}

/// A client names a resource whose configs it cannot set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResource {
    #[error("resource type {0} has no configs here")]
    Kind(i8),
    #[error("'{0}' is no topic name")]
    Topic(String),
    #[error("'{0}' is no node id")]
    Broker(String),
}

impl ConfigResource {
    /// Kafka's number for topics as resources.
    pub const TOPIC: i8 = 2;
    /// Kafka's number for brokers as resources.
    pub const BROKER: i8 = 4;
    /// Kafka's number for groups as resources.
    pub const GROUP: i8 = 32;

    /// The resource that a client names; loggers and client metrics are refused.
    pub fn from_kafka(kind: i8, name: &str) -> Result<ConfigResource, InvalidResource> {
        match kind {
            ConfigResource::TOPIC => match TopicName::new(name) {
                Ok(topic) => Ok(ConfigResource::Topic(topic)),
                Err(_) => Err(InvalidResource::Topic(name.to_owned())),
            },
            ConfigResource::BROKER if name.is_empty() => Ok(ConfigResource::Broker(None)),
            ConfigResource::BROKER => match name.parse() {
                Ok(node) if node >= 0 => Ok(ConfigResource::Broker(Some(NodeId(node)))),
                _ => Err(InvalidResource::Broker(name.to_owned())),
            },
            ConfigResource::GROUP => Ok(ConfigResource::Group(name.to_owned())),
            _ => Err(InvalidResource::Kind(kind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_broker_name_means_all_brokers() {
        assert_eq!(ConfigResource::from_kafka(4, ""), Ok(ConfigResource::Broker(None)));
        assert_eq!(ConfigResource::from_kafka(4, "7"), Ok(ConfigResource::Broker(Some(NodeId(7)))));
        assert_eq!(ConfigResource::from_kafka(4, "-7"), Err(InvalidResource::Broker("-7".to_owned())));
    }

    #[test]
    fn client_metrics_and_loggers_are_refused() {
        assert_eq!(ConfigResource::from_kafka(16, "x"), Err(InvalidResource::Kind(16)));
        assert_eq!(ConfigResource::from_kafka(8, "1"), Err(InvalidResource::Kind(8)));
    }
}
