//! `TestTopic`: a topic that exists for one run.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use aquifer_client::{Client, NewTopic};
use aquifer_types::TopicId;
use aquifer_wire::Text;

use crate::scenario::Durability;
use crate::server::{Kind, Server};

/// A topic with a name that no other run has.
pub struct TestTopic {
    pub name: Text,
    pub id: TopicId,
    client: Client,
}

impl TestTopic {
    /// Creates the topic and waits until each partition has a leader.
    pub async fn create(
        client: &Client,
        partitions: i32,
        configs: BTreeMap<String, String>,
    ) -> Result<TestTopic> {
        let name = format!("load-{:016x}", client.runtime().random_u64());
        let topic = NewTopic {
            name: name.clone(),
            partitions: Some(partitions),
            replication_factor: Some(1),
            configs,
        };
        client.create_topic(&topic).await.context("create a topic")?;
        let mut id = TopicId::default();
        let mut led = 0;
        while led < usize::try_from(partitions)? {
            client.forget(&name);
            // A topic just created may not be known to the broker that answers.
            if let Ok(found) = client.topic(&name).await {
                (id, led) = (found.id, found.leaders.len());
            }
            client.runtime().sleep(std::time::Duration::from_millis(2)).await;
        }
        Ok(TestTopic { name: Text::from(name), id, client: client.clone() })
    }

    pub async fn delete(self) -> Result<()> {
        self.client.delete_topic(&self.name).await.context("delete the topic")
    }
}

/// The configs that give a topic that durability on that server.
pub fn configs(server: &Server, durability: Durability) -> BTreeMap<String, String> {
    let named = match (server.kind, durability) {
        (Kind::Aquifer, Durability::PageCache) => Some(("aquifer.durability", "page-cache")),
        (Kind::Kafka, Durability::Flushed) => Some(("flush.messages", "1")),
        (Kind::Aquifer, Durability::Flushed) | (Kind::Kafka, Durability::PageCache) => None,
    };
    named.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
