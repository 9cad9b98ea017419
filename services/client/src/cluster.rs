//! `Cluster`: what the last metadata answers said of brokers, topics and leaders.

use std::collections::BTreeMap;
use std::sync::Arc;

use aquifer_types::{LeaderEpoch, NodeId, PartitionIndex, TopicId};
use aquifer_wire::messages::MetadataResponse;
use aquifer_wire::messages::metadata_response::MetadataResponseTopic;

use crate::address::Address;

/// A topic as metadata shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    pub id: TopicId,
    /// The partitions that have a leader.
    pub leaders: BTreeMap<PartitionIndex, Leader>,
    /// Partitions, with a leader or not.
    pub partitions: usize,
}

/// Who leads a partition, since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leader {
    pub node: NodeId,
    pub epoch: LeaderEpoch,
}

/// Brokers and the topics asked for so far.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    brokers: BTreeMap<NodeId, Address>,
    controller: Option<NodeId>,
    /// Asked for with every request, so it is lent.
    topics: BTreeMap<String, Arc<Topic>>,
}

impl Cluster {
    /// Takes in an answer about some topics; what it leaves out stays known.
    pub(crate) fn learn(&mut self, response: &MetadataResponse) {
        self.brokers = response
            .brokers
            .iter()
            .filter_map(|broker| {
                let port = u16::try_from(broker.port).ok()?;
                Some((NodeId(broker.node_id), Address { host: broker.host.to_string(), port }))
            })
            .collect();
        self.controller = Some(NodeId(response.controller_id)).filter(|node| node.0 >= 0);
        for topic in &response.topics {
            let Some(name) = &topic.name else { continue };
            if topic.error_code.is_none() {
                self.topics.insert(name.to_string(), Arc::new(Topic::from(topic)));
            } else {
                self.topics.remove(name.as_str());
            }
        }
    }

    /// Takes in what a broker said of one partition's leader, and where that one listens.
    pub(crate) fn learn_leader<'a>(
        &mut self,
        topic: &str,
        partition: PartitionIndex,
        leader: Leader,
        endpoints: impl Iterator<Item = (i32, &'a str, i32)>,
    ) {
        self.learn_brokers(endpoints);
        let Some(topic) = self.topics.get_mut(topic) else { return };
        let known = Arc::make_mut(topic).leaders.entry(partition).or_insert(leader);
        if known.epoch <= leader.epoch {
            *known = leader;
        }
    }

    /// Adds brokers to those known: id, host and port.
    pub(crate) fn learn_brokers<'a>(&mut self, endpoints: impl Iterator<Item = (i32, &'a str, i32)>) {
        for (node, host, port) in endpoints {
            let Ok(port) = u16::try_from(port) else { continue };
            self.brokers.insert(NodeId(node), Address { host: host.to_owned(), port });
        }
    }

    pub(crate) fn forget(&mut self, topic: &str) {
        self.topics.remove(topic);
    }

    pub(crate) fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    pub(crate) fn address(&self, node: NodeId) -> Option<&Address> {
        self.brokers.get(&node)
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.brokers.values()
    }

    pub(crate) fn controller(&self) -> Option<NodeId> {
        self.controller
    }
}

impl Leader {
    /// What a broker says of the leader beside an error; negative numbers where it knows nothing.
    pub(crate) fn from_hint(node: i32, epoch: i32) -> Option<Leader> {
        (node >= 0 && epoch >= 0).then_some(Leader { node: NodeId(node), epoch: LeaderEpoch(epoch) })
    }
}

impl From<&MetadataResponseTopic> for Topic {
    fn from(topic: &MetadataResponseTopic) -> Topic {
        let leaders = topic.partitions.iter().filter(|partition| partition.leader_id >= 0).map(|partition| {
            let leader =
                Leader { node: NodeId(partition.leader_id), epoch: LeaderEpoch(partition.leader_epoch) };
            (PartitionIndex(partition.partition_index), leader)
        });
        Topic { id: TopicId(topic.topic_id), leaders: leaders.collect(), partitions: topic.partitions.len() }
    }
}
