//! Putting a state together from the records of a snapshot.

use std::sync::Arc;

use crate::broker::Broker;
use crate::codec::DecodeError;
use crate::config::{ConfigMap, TopicConfig};
use crate::state::State;
use crate::topic::Topic;

impl State {
    pub(crate) fn load_cluster_config(&mut self, config: ConfigMap) {
        self.image.default_config = Arc::new(TopicConfig::of_cluster(&config));
        self.image.cluster_config = Arc::new(config);
    }

    pub(crate) fn load_broker(&mut self, broker: Broker) -> Result<(), DecodeError> {
        let brokers = Arc::make_mut(&mut self.image.brokers);
        match brokers.insert(broker.node, Arc::new(broker)) {
            None => Ok(()),
            Some(_) => Err(DecodeError::Invalid("broker")),
        }
    }

    pub(crate) fn load_topic(&mut self, topic: Topic) -> Result<(), DecodeError> {
        let known =
            self.image.topics.get(&topic.id).is_some() || self.image.check_new_name(&topic.name).is_err();
        if known {
            return Err(DecodeError::Invalid("topic"));
        }
        self.add_topic(topic);
        Ok(())
    }
}
