//! `Coordinator`: the partitions of `__consumer_offsets` that this broker leads, each with its task.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use aquifer_group::{GroupId, ListFilter, Request};
use aquifer_replica::Replica;
use aquifer_types::{LeaderEpoch, TopicId, TopicName, TopicPartition};
use tokio::sync::{mpsc, oneshot};

use crate::ask::{Asked, Message, Unavailable, Way};
use crate::desk::Desk;
use crate::serve::Server;
use crate::surroundings::{Counters, Surroundings};
use crate::topics::TopicsVersion;

/// All shards of a broker.
#[derive(Debug)]
pub struct Coordinator {
    surroundings: Surroundings,
    topics_version: Arc<TopicsVersion>,
    led: RwLock<BTreeMap<i32, Led>>,
}

/// A partition that is led; its task ends once the sender is dropped.
#[derive(Debug)]
struct Led {
    topic: TopicId,
    epoch: LeaderEpoch,
    desk: Arc<Desk>,
    sender: mpsc::UnboundedSender<Message>,
}

impl Coordinator {
    #[must_use]
    pub fn new(surroundings: Surroundings) -> Coordinator {
        Coordinator { surroundings, topics_version: Arc::default(), led: RwLock::default() }
    }

    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.surroundings.counters
    }

    /// This broker leads a partition, in this epoch: its groups are loaded and served. Saying it again changes nothing.
    pub fn lead(&self, replica: &Arc<Replica>, epoch: LeaderEpoch) {
        let id = replica.id();
        let mut led = self.led.write().expect("noting who leads does not panic");
        let known = led.get(&id.partition.0);
        if known.is_some_and(|known| known.topic == id.topic && known.epoch == epoch) {
            return;
        }
        let (sender, messages) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk::new(
            self.surroundings.clone(),
            replica.clone(),
            Arc::clone(&self.topics_version),
            sender.downgrade(),
        ));
        self.surroundings.runtime.spawn("serve-groups", Server::new(desk.clone(), messages).run());
        led.insert(id.partition.0, Led { topic: id.topic, epoch, desk, sender });
    }

    /// This broker leads the partition no longer.
    pub fn resign(&self, id: TopicPartition) {
        let mut led = self.led.write().expect("noting who leads does not panic");
        if led.get(&id.partition.0).is_some_and(|known| known.topic == id.topic) {
            led.remove(&id.partition.0);
        }
    }

    /// Serves nobody any more; who waits is told to look the coordinator up again.
    pub fn stop(&self) {
        self.led.write().expect("noting who leads does not panic").clear();
    }

    /// Hands a request to the group's shard, in the partition where the group lives. Requests reach a shard in the order of
    /// these calls.
    #[must_use]
    pub fn ask(&self, partition: i32, group: GroupId, request: Request) -> Asked {
        let led = self.led.read().expect("noting who leads does not panic");
        match led.get(&partition) {
            Some(led) => led.desk.ask(&led.sender, group, request),
            None => Asked(Way::Here(Err(Unavailable::NotHere))),
        }
    }

    /// Asks every shard for its groups.
    #[must_use]
    pub fn list(&self, filter: &ListFilter) -> Vec<Asked> {
        let led = self.led.read().expect("noting who leads does not panic");
        let asked = led.values().map(|led| {
            let (answer, asked) = oneshot::channel();
            led.desk.send(&led.sender, Message::List { filter: filter.clone(), answer }, asked)
        });
        asked.collect()
    }

    /// Asks a partition for every offset that is committed in its groups.
    #[must_use]
    pub fn export(&self, partition: i32) -> Asked {
        let led = self.led.read().expect("noting who leads does not panic");
        let Some(led) = led.get(&partition) else { return Asked(Way::Here(Err(Unavailable::NotHere))) };
        let (answer, asked) = oneshot::channel();
        led.desk.send(&led.sender, Message::Export { answer }, asked)
    }

    /// Topics or the brokers that they are on may be others from this command on: each group finds out with its next heartbeat.
    pub fn cluster_changed(&self, command: u64) {
        self.topics_version.raise(command);
    }

    /// These topics came, went, or have other partitions, by this command at the latest: their readers are given a new target.
    pub fn topics_changed(&self, topics: &[TopicName], command: u64) {
        self.cluster_changed(command);
        let led = self.led.read().expect("noting who leads does not panic");
        for led in led.values() {
            // A task that ended tells its readers when it is loaded again.
            let _ = led.desk.tell(&led.sender, Message::TopicsChanged(topics.to_vec()));
        }
    }

    /// These topics are gone: their offsets are removed from every group.
    pub fn topics_deleted(&self, topics: &[(TopicName, TopicId)]) {
        let led = self.led.read().expect("noting who leads does not panic");
        for led in led.values() {
            // A task that ended has nothing to remove from.
            let _ = led.desk.tell(&led.sender, Message::TopicsDeleted(topics.to_vec()));
        }
    }
}
