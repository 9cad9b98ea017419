//! `Names`: the topics a session reads, by the ids that coordinators and cursors have for them.

use std::collections::BTreeMap;

use aquifer_client::{Client, Place};
use aquifer_session::Partitions;
use aquifer_types::{TopicId, TopicPartition};
use aquifer_wire::Text;

/// Ids and names of the topics that a session subscribes to.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(BTreeMap<TopicId, Text>);

impl Names {
    /// As this node last saw them; a topic that is gone has no id.
    pub(super) async fn of(client: &Client, topics: &[String]) -> Names {
        let mut names = BTreeMap::new();
        for name in topics {
            if let Ok(topic) = client.topic(name).await {
                names.insert(topic.id, Text::from(name.as_str()));
            }
        }
        Names(names)
    }

    /// Looks again if one of these is of a topic that was made since.
    pub(super) async fn learn(&mut self, client: &Client, topics: &[String], assigned: &Partitions) {
        if assigned.iter().all(|place| self.0.contains_key(&place.topic)) {
            return;
        }
        topics.iter().for_each(|name| client.forget(name));
        self.0.extend(Names::of(client, topics).await.0);
    }

    pub(super) fn place(&self, place: TopicPartition) -> Option<Place> {
        Some((self.0.get(&place.topic)?.clone(), place.partition))
    }

    pub(super) fn places<'a>(&self, places: impl IntoIterator<Item = &'a TopicPartition>) -> Vec<Place> {
        places.into_iter().filter_map(|place| self.place(*place)).collect()
    }

    /// The topic's id, if the session reads it.
    pub(super) fn id(&self, name: &str) -> Option<TopicId> {
        // Of a topic that was made again the newer id is the one its records have.
        self.0.iter().rev().find(|(_, known)| *known == name).map(|(id, _)| *id)
    }
}
