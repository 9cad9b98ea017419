//! Topics are made, deleted and given more partitions.

use std::sync::Arc;

use aquifer_types::{NodeId, TopicId, TopicName};

use crate::answer::{CreatePartitionsRefusal, CreateTopicRefusal, DeletedTopic, UnknownTopic};
use crate::command::{NewPartitions, NewTopic, TopicKey};
use crate::delta::Delta;
use crate::image::Image;
use crate::partition::Partition;
use crate::state::State;
use crate::topic::{Partitions, Topic};

impl State {
    pub(crate) fn create_topic(
        &mut self,
        new: &NewTopic,
        deltas: &mut Vec<Delta>,
    ) -> Result<(), CreateTopicRefusal> {
        if self.image.topics.get(&new.id).is_some_and(|topic| topic.name == new.name) {
            return Ok(());
        }
        let overrides = self.image.check_new_topic(new)?;
        let placed = self.image.place(None, &new.partitions)?;
        let mut partitions = Partitions::default();
        partitions.extend(placed);
        let topic = Topic {
            id: new.id,
            name: new.name.clone(),
            created: self.image.time,
            replication_default: new.replication_default,
            config: self.image.resolve(&new.name, &overrides),
            overrides,
            partitions,
        };
        self.add_topic(topic);
        deltas.push(Delta::TopicCreated(new.id));
        Ok(())
    }

    /// Puts a topic into every table that names it.
    pub(crate) fn add_topic(&mut self, topic: Topic) {
        self.host(topic.id, topic.partitions.iter());
        self.image.partition_count += topic.partitions.len();
        self.image.names.insert(topic.name.clone(), topic.id);
        if collides(&topic.name) {
            self.image.collisions.insert(topic.name.collision_key(), topic.name.clone());
        }
        self.image.topics.insert(topic.id, Arc::new(topic));
    }

    pub(crate) fn delete_topic(
        &mut self,
        key: &TopicKey,
        deltas: &mut Vec<Delta>,
    ) -> Result<DeletedTopic, UnknownTopic> {
        let id = self.image.find(key).ok_or(UnknownTopic)?;
        let topic = self.image.topics.remove(&id).ok_or(UnknownTopic)?;
        let name = topic.name.clone();
        self.remember_deleted(&topic);
        self.image.names.remove(&name);
        if collides(&name) {
            self.image.collisions.remove(&name.collision_key());
        }
        self.image.partition_count -= topic.partitions.len();
        let mut nodes: Vec<NodeId> =
            topic.partitions.iter().flat_map(Partition::replicas).map(|replica| replica.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            self.hosted.retain(|host, topics| *host != node || !(topics.remove(&id) && topics.is_empty()));
            self.trust(node, |at| at.topic == id);
        }
        self.unlink_topic(id, topic.partition_count(), deltas);
        self.unfence_topic(id, topic.partition_count());
        deltas.push(Delta::TopicDeleted { id, name: name.clone() });
        Ok(DeletedTopic { id, name })
    }

    pub(crate) fn create_partitions(
        &mut self,
        new: &NewPartitions,
        deltas: &mut Vec<Delta>,
    ) -> Result<(), CreatePartitionsRefusal> {
        self.image.check_new_partitions(new)?;
        let topic = self.image.topic(new.topic.as_str()).ok_or(UnknownTopic)?;
        let (id, from) = (topic.id, topic.partition_count());
        let placed = self.image.place(Some(topic), &new.partitions)?;
        self.host(id, &placed);
        self.image.partition_count += placed.len();
        if let Some(topic) = self.image.topics.get_mut(&id) {
            Arc::make_mut(topic).partitions.extend(placed);
        }
        deltas.push(Delta::PartitionsAdded { topic: id, from });
        Ok(())
    }
}

impl Image {
    fn find(&self, key: &TopicKey) -> Option<TopicId> {
        match key {
            TopicKey::Id(id) => self.topics.get(id).map(|topic| topic.id),
            TopicKey::Name(name) => self.names.get(name).copied(),
        }
    }
}

/// Whether another name can collide with this one.
fn collides(name: &TopicName) -> bool {
    name.as_str().contains(['.', '_'])
}
