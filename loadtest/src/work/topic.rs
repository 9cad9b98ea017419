//! `TestTopic`: a topic that exists for one run.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aquifer_client::{Client, NewTopic, Topic};
use aquifer_types::{NodeId, TopicId};
use aquifer_wire::Text;
use aquifer_wire::messages::ListOffsetsRequest;
use aquifer_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};

use crate::scenario::Durability;
use crate::server::{Kind, Server};

/// A topic with a name that no other run has.
pub struct TestTopic {
    pub name: Text,
    pub id: TopicId,
    client: Client,
}

impl TestTopic {
    /// Creates the topic and waits until each partition is served.
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
        let mut serving = false;
        while !serving {
            client.forget(&name);
            // A topic just created may not be known to the broker that answers, nor that it leads to one that does.
            if let Ok(found) = client.topic(&name).await
                && found.leaders.len() == usize::try_from(partitions)?
            {
                id = found.id;
                serving = is_served(client, &name, &found).await.unwrap_or(false);
            }
            client.runtime().sleep(Duration::from_millis(2)).await;
        }
        Ok(TestTopic { name: Text::from(name), id, client: client.clone() })
    }

    pub async fn delete(self) -> Result<()> {
        self.client.delete_topic(&self.name).await.context("delete the topic")
    }
}

/// Whether all leaders know that they lead, by asking them for offsets.
async fn is_served(client: &Client, name: &str, topic: &Topic) -> Result<bool> {
    let mut by_leader: BTreeMap<NodeId, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for (partition, leader) in &topic.leaders {
        by_leader.entry(leader.node).or_default().push(ListOffsetsPartition {
            partition_index: partition.0,
            current_leader_epoch: -1,
            timestamp: -1,
        });
    }
    for (node, partitions) in by_leader {
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic { name: Text::from(name), partitions }],
            ..ListOffsetsRequest::default()
        };
        let response = client.call(node, &request).await?;
        let mut answered = response.topics.iter().flat_map(|topic| &topic.partitions);
        if answered.any(|partition| !partition.error_code.is_none()) {
            return Ok(false);
        }
    }
    Ok(true)
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
