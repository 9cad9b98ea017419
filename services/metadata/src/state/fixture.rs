//! Small clusters and commands for tests.

use aquifer_types::{
    BrokerEpoch, ClusterId, DirectoryId, Incarnation, LeaderEpoch, NodeId, PartitionEpoch, PartitionIndex,
    TimestampMs, TopicId, TopicName, TopicPartition, Uuid,
};

use crate::answer::Answer;
use crate::broker::{Endpoint, SecurityProtocol};
use crate::command::{
    AlterPartition, AlterPartitions, BrokerRun, Change, Command, ConfigSetting, InitCluster, NewTopic,
    PlacedReplica, Placement, RegisterBroker,
};
use crate::delta::Delta;
use crate::features::METADATA_LEVEL;
use crate::image::Image;
use crate::partition::{Partition, RecoveryState};
use crate::producer_ids::ProducerPrefix;
use crate::state::State;

/// Leader, in-sync set, eligible set, last known eligible set.
pub(crate) type Roles = (Option<i32>, Vec<i32>, Vec<i32>, Vec<i32>);

/// A state with the index and the time of what comes next.
pub(crate) struct Cluster {
    pub(crate) state: State,
    pub(crate) deltas: Vec<Delta>,
}

impl Cluster {
    /// An initialized cluster with live brokers 0 and up.
    pub(crate) fn with_brokers(count: i32) -> Cluster {
        let mut cluster = Cluster { state: State::new(), deltas: Vec::new() };
        cluster.apply(init());
        for node in 0..count {
            cluster.apply(Change::RegisterBroker(registration(node, 1)));
            cluster.apply(Change::UnfenceBroker(cluster.run(node)));
        }
        cluster
    }

    pub(crate) fn image(&self) -> &Image {
        self.state.image()
    }

    /// Applies a change; `deltas` are its deltas afterwards.
    pub(crate) fn apply(&mut self, change: Change) -> Answer {
        let index = self.image().applied() + 1;
        self.deltas.clear();
        self.state.apply(index, &Command { time: TimestampMs(0), change }, &mut self.deltas)
    }

    pub(crate) fn run(&self, node: i32) -> BrokerRun {
        let epoch = self.image().broker(NodeId(node)).map_or(BrokerEpoch(-1), |broker| broker.epoch);
        BrokerRun { node: NodeId(node), epoch }
    }

    /// Makes a topic with one partition on these nodes.
    pub(crate) fn create(&mut self, name: &str, nodes: &[i32], configs: &[(&str, &str)]) -> TopicPartition {
        let mut new = new_topic(name, number(name), &[nodes]);
        let setting = |(name, value): &(&str, &str)| ConfigSetting {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
        };
        new.configs = configs.iter().map(setting).collect();
        assert_eq!(self.apply(Change::CreateTopics(vec![new])), Answer::TopicsCreated(vec![Ok(())]));
        TopicPartition { topic: topic_id(number(name)), partition: PartitionIndex(0) }
    }

    pub(crate) fn partition(&self, at: TopicPartition) -> &Partition {
        self.image().partition(at).expect("exists")
    }

    /// Who does what in a partition.
    pub(crate) fn roles(&self, at: TopicPartition) -> Roles {
        let partition = self.partition(at);
        let numbers =
            |nodes: &mut dyn Iterator<Item = NodeId>| nodes.map(|node| node.0).collect::<Vec<i32>>();
        (
            partition.leader().map(|node| node.0),
            numbers(&mut partition.isr()),
            numbers(&mut partition.elr()),
            numbers(&mut partition.last_known_elr()),
        )
    }

    /// Leader epoch and partition epoch.
    pub(crate) fn epochs(&self, at: TopicPartition) -> (i32, i32) {
        let partition = self.partition(at);
        (partition.leader_epoch().0, partition.partition_epoch().0)
    }

    /// A report of the leader with the epochs as they are now.
    pub(crate) fn report(&self, at: TopicPartition, isr: &[i32]) -> AlterPartitions {
        let partition = self.image().partition(at);
        let leader = partition.and_then(Partition::leader).unwrap_or(NodeId(-1));
        let alter = AlterPartition {
            partition: at,
            leader_epoch: partition.map_or(LeaderEpoch(0), Partition::leader_epoch),
            partition_epoch: partition.map_or(PartitionEpoch(0), Partition::partition_epoch),
            isr: isr.iter().map(|node| self.run(*node)).collect(),
            recovery: RecoveryState::Recovered,
        };
        AlterPartitions { run: self.run(leader.0), partitions: vec![alter] }
    }

    /// A new run of a broker, after a stop of this kind.
    pub(crate) fn restart(&mut self, node: i32, clean: bool) {
        let before = self.run(node).epoch;
        let mut registration = registration(node, u8::try_from(before.0).expect("few commands"));
        registration.clean_epoch = clean.then_some(before);
        self.apply(Change::RegisterBroker(registration));
    }
}

pub(crate) fn uuid(kind: u8, number: u8) -> Uuid {
    let mut bytes = [kind; 16];
    bytes[15] = number;
    Uuid::from_bytes(bytes)
}

pub(crate) fn topic_id(number: u8) -> TopicId {
    TopicId(uuid(0x70, number))
}

pub(crate) fn directory(node: i32) -> DirectoryId {
    DirectoryId(uuid(0x60, u8::try_from(node).expect("few nodes")))
}

pub(crate) fn name(text: &str) -> TopicName {
    TopicName::new(text).expect("a topic name")
}

pub(crate) fn init() -> Change {
    let producer_prefix = ProducerPrefix::new(0xabcde).expect("a prefix");
    Change::InitCluster(InitCluster {
        cluster: ClusterId(uuid(0x50, 1)),
        producer_prefix,
        level: METADATA_LEVEL,
    })
}

pub(crate) fn registration(node: i32, incarnation: u8) -> RegisterBroker {
    RegisterBroker {
        node: NodeId(node),
        incarnation: Incarnation(uuid(0x40, incarnation)),
        endpoints: vec![Endpoint {
            listener: "client".to_owned(),
            host: "localhost".to_owned(),
            port: 9092,
            protocol: SecurityProtocol::Plaintext,
        }],
        rack: None,
        directories: vec![directory(node)],
        clean_epoch: None,
        verdicts: Vec::new(),
    }
}

/// A topic with a partition for each list of nodes.
pub(crate) fn new_topic(text: &str, number: u8, partitions: &[&[i32]]) -> NewTopic {
    let placed = |node: &i32| PlacedReplica { node: NodeId(*node), directory: directory(*node) };
    NewTopic {
        name: name(text),
        id: topic_id(number),
        partitions: partitions.iter().map(|nodes| Placement(nodes.iter().map(placed).collect())).collect(),
        replication_default: false,
        configs: Vec::new(),
    }
}

/// A number for the id of a topic of this name.
fn number(text: &str) -> u8 {
    text.bytes().fold(0, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte))
}
