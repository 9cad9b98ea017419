//! A cluster's topics, as the tests want them.

use std::collections::BTreeMap;
use std::sync::Arc;

use aquifer_group::{GroupConfig, GroupId, Topics};
use aquifer_types::{TopicId, TopicName, Uuid};

/// Topics by name: id and partitions.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    pub topics: BTreeMap<String, (TopicId, i32)>,
    pub version: i64,
    made: u16,
    /// Moves the racks of all partitions.
    pub rack_shift: usize,
    /// What is configured for groups.
    pub config: GroupConfig,
}

impl Cluster {
    pub fn with(topics: &[(&str, i32)]) -> Cluster {
        let mut cluster = Cluster::default();
        for (name, partitions) in topics {
            cluster.create(name, *partitions);
        }
        cluster
    }

    pub fn create(&mut self, name: &str, partitions: i32) -> TopicId {
        self.made += 1;
        self.version += 1;
        let id =
            TopicId(Uuid::from_bytes([self.made.to_be_bytes(); 8].concat().try_into().expect("sixteen")));
        self.topics.insert(name.to_owned(), (id, partitions));
        id
    }

    pub fn grow(&mut self, name: &str) {
        self.version += 1;
        self.topics.get_mut(name).expect("the topic").1 += 1;
    }

    pub fn delete(&mut self, name: &str) -> TopicId {
        self.version += 1;
        self.topics.remove(name).expect("the topic").0
    }
}

pub fn name(text: &str) -> TopicName {
    TopicName::new(text).expect("a name")
}

impl Topics for Cluster {
    fn topic(&self, name: &str) -> Option<(TopicId, i32)> {
        self.topics.get(name).copied()
    }

    fn name(&self, id: TopicId) -> Option<TopicName> {
        let found = self.topics.iter().find(|(_, (known, _))| *known == id);
        found.map(|(text, _)| name(text))
    }

    fn racks(&self, _id: TopicId, partition: i32, racks: &mut Vec<Arc<str>>) {
        racks.push(["rack-a", "rack-b", "rack-c"][(partition as usize + self.rack_shift) % 3].into());
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn group(&self, _group: &GroupId) -> GroupConfig {
        self.config
    }
}
