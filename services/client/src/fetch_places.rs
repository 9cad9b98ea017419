//! Fetches of many partitions at once, without a session.

use std::collections::BTreeMap;

use aquifer_types::{NodeId, Offset, TopicId};
use aquifer_wire::Text;
use aquifer_wire::messages::FetchResponse;
use aquifer_wire::messages::fetch_request::{FetchPartition, FetchTopic};

use crate::client::Client;
use crate::cluster::Leader;
use crate::connection::Connection;
use crate::error::ClientError;
use crate::fetch::{FetchSettings, Fetched};
use crate::per_leader::{Answers, PerLeader, Place};

/// Records from offsets on, by index.
struct FromPlaces<'a> {
    wanted: &'a [(Place, Offset)],
    settings: &'a FetchSettings,
}

impl Client {
    /// Reads several partitions, each named once, in their order. Those of one broker share the settings' bytes and wait.
    pub async fn fetch_places(
        &self,
        wanted: &[(Place, Offset)],
        settings: &FetchSettings,
    ) -> Vec<Result<Fetched, ClientError>> {
        let places: Vec<Place> = wanted.iter().map(|(place, _)| place.clone()).collect();
        self.ask_leaders(&places, &FromPlaces { wanted, settings }).await
    }

    /// Reads several partitions of one leader on a connection to it, once.
    pub async fn fetch_places_on(
        &self,
        connection: &Connection,
        wanted: &[(Place, Offset)],
        settings: &FetchSettings,
    ) -> Result<Vec<Result<Fetched, ClientError>>, ClientError> {
        let mut topics: BTreeMap<&Text, FetchTopic> = BTreeMap::new();
        let mut names: BTreeMap<TopicId, &Text> = BTreeMap::new();
        for ((name, partition), offset) in wanted {
            if !topics.contains_key(name) {
                let id = self.topic(name).await?.id;
                names.insert(id, name);
                let topic = FetchTopic { topic: name.clone(), topic_id: id.0, ..FetchTopic::default() };
                topics.insert(name, topic);
            }
            if let Some(topic) = topics.get_mut(name) {
                topic.partitions.push(FetchPartition {
                    partition: partition.0,
                    fetch_offset: offset.0,
                    partition_max_bytes: settings.partition_bytes_max,
                    ..FetchPartition::default()
                });
            }
        }
        let mut request = settings.request();
        request.topics = topics.into_values().collect();
        let response = connection.call(&request).await?;
        ClientError::check(response.error_code, None)?;
        Ok(in_order(&response, wanted, &names))
    }
}

/// What the answer says of each partition that was asked for.
fn in_order(
    response: &FetchResponse,
    wanted: &[(Place, Offset)],
    names: &BTreeMap<TopicId, &Text>,
) -> Vec<Result<Fetched, ClientError>> {
    let mut found = BTreeMap::new();
    for topic in &response.responses {
        // Brokers answer by name or by id, as the version has it.
        let by_id = names.get(&TopicId(topic.topic_id)).map(|name| name.as_str());
        let name = by_id.unwrap_or(topic.topic.as_str());
        for part in &topic.partitions {
            found.insert((name, part.partition_index), part);
        }
    }
    let answers = wanted.iter().map(|((name, partition), _)| {
        let part = found.get(&(name.as_str(), partition.0));
        Fetched::from_partition(part.ok_or(ClientError::Incomplete("the partition"))?)
    });
    answers.collect()
}

impl PerLeader for FromPlaces<'_> {
    type Answer = Fetched;

    async fn ask(
        &self,
        client: &Client,
        node: NodeId,
        led: &[(usize, Leader)],
    ) -> Result<Answers<Fetched>, ClientError> {
        let wanted: Vec<_> = led.iter().map(|(index, _)| self.wanted[*index].clone()).collect();
        let connection = client.connection(node).await?;
        let fetched = client.fetch_places_on(&connection, &wanted, self.settings).await?;
        Ok(led.iter().map(|(index, _)| *index).zip(fetched).collect())
    }
}
