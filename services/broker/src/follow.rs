//! Following the metadata: replicas are made, told their role, reconfigured and deleted as the quorum decides.

use std::future::Future;
use std::sync::Arc;

use aquifer_coordinator::OFFSETS_TOPIC;
use aquifer_hotlog::Recovered;
use aquifer_metadata::{Delta, Image, Topic};
use aquifer_partition::{Follow, Lead};
use aquifer_quorum::Update;
use aquifer_record::ProducerState;
use aquifer_replica::Replica;
use aquifer_types::{Offset, PartitionIndex, TopicId, TopicPartition};

use crate::broker::Broker;
use crate::replicas::replica_config;

impl Broker {
    /// Applies everything decided after `seen`, for as long as the broker runs.
    pub(crate) fn follow(self: &Arc<Broker>, seen: u64) -> impl Future<Output = ()> + Send + use<> {
        let broker = self.clone();
        // Everything once, then only what changes.
        broker.reconcile(&broker.image());
        let mut updates = broker.quorum.subscribe(Some(seen));
        async move {
            loop {
                let update = tokio::select! {
                    biased;
                    () = broker.stop.wait() => return,
                    update = updates.next() => update,
                };
                match update {
                    None => return,
                    Some(Update::Snapshot(image)) => {
                        broker.reconcile(&image);
                        broker.coordinator.cluster_changed(image.applied());
                        broker.followed.send_replace(image.applied());
                    }
                    Some(Update::Commands { commands, image }) => {
                        let last = commands.last().map_or(0, |command| command.index);
                        for delta in commands.iter().flat_map(|command| command.deltas.iter()) {
                            broker.react(delta, &image);
                        }
                        broker.followed.send_replace(last);
                    }
                }
            }
        }
    }

    fn react(&self, delta: &Delta, image: &Image) {
        match delta {
            Delta::TopicCreated(id) | Delta::PartitionsAdded { topic: id, .. } => {
                if let Some(topic) = image.topic_by_id(*id) {
                    self.take_roles(topic, image);
                    self.coordinator.topics_changed(std::slice::from_ref(topic.name()), image.applied());
                }
            }
            Delta::TopicDeleted { id, name } => {
                self.delete_topic(*id);
                self.forget_links(*id);
                self.coordinator.topics_deleted(&[(name.clone(), *id)]);
                self.coordinator.topics_changed(std::slice::from_ref(name), image.applied());
            }
            Delta::PartitionChanged(id) => {
                if let Some(topic) = image.topic_by_id(id.topic) {
                    self.take_role(topic, id.partition, image);
                }
            }
            Delta::TierChanged(id) => {
                if let (Some(replica), Some(tier)) = (self.replicas.get(*id), image.tier(*id)) {
                    replica.set_tier(tier.start(), tier.end());
                }
            }
            Delta::FenceChanged(id) => {
                if let Some(replica) = self.replicas.get(*id) {
                    replica.set_fence(image.fence(*id));
                }
            }
            Delta::TopicConfigChanged(id) => {
                if let Some(topic) = image.topic_by_id(*id) {
                    self.reconfigure(topic);
                    // The minimum of in-sync replicas is a setting too.
                    self.take_roles(topic, image);
                }
            }
            Delta::ClusterConfigChanged => {
                for topic in image.topics() {
                    self.reconfigure(topic);
                }
            }
            Delta::BrokerChanged(_) => self.coordinator.cluster_changed(image.applied()),
            Delta::ClusterInitialized | Delta::GroupConfigChanged(_) | Delta::FeaturesChanged => {}
        }
    }

    fn reconcile(&self, image: &Image) {
        for replica in self.replicas.all() {
            if image.partition(replica.id()).is_none() {
                replica.delete();
                self.replicas.remove(replica.id());
            }
        }
        for topic in image.topics() {
            self.take_roles(topic, image);
            self.reconfigure(topic);
        }
    }

    fn delete_topic(&self, id: TopicId) {
        for replica in self.replicas.of_topic(id) {
            replica.delete();
            self.replicas.remove(replica.id());
        }
    }

    fn forget_links(&self, id: TopicId) {
        if let Some(tier) = &self.tier {
            tier.links.lock().expect("forgetting does not panic").retain(|at, _| at.topic != id);
        }
    }

    fn reconfigure(&self, topic: &Topic) {
        let config = replica_config(topic.config(), self.tier.is_some());
        for replica in self.replicas.of_topic(topic.id()) {
            replica.configure(config);
        }
    }

    fn take_roles(&self, topic: &Topic, image: &Image) {
        for partition in 0..topic.partition_count() {
            self.take_role(topic, PartitionIndex(partition), image);
        }
    }

    /// What the tier knows of the producers of a log that goes on where it ends.
    fn tiered_producers(&self, id: TopicPartition) -> Vec<ProducerState> {
        let Some(tier) = &self.tier else { return Vec::new() };
        tier.producers.lock().expect("looking up does not panic").remove(&id).unwrap_or_default()
    }

    fn take_role(&self, topic: &Topic, index: PartitionIndex, image: &Image) {
        let Some(partition) = topic.partition(index) else { return };
        if !partition.has_replica(self.run.node) {
            return;
        }
        let id = topic.at(index);
        let replica = self.replicas.get(id).unwrap_or_else(|| {
            let config = replica_config(topic.config(), self.tier.is_some());
            let surroundings = (&self.directory, &self.runtime);
            let replica = Replica::new(self.run.node, Recovered::empty(id), Vec::new(), config, surroundings);
            self.replicas.insert(replica.clone());
            replica
        });
        let tier = image.tier(id);
        if let Some(tier) = tier {
            if partition.replicas().len() == 1 {
                replica.begin_at(tier.end(), self.tiered_producers(id));
            }
            replica.set_tier(tier.start(), tier.end());
        }
        // Before it leads, so that nothing is appended under a token of the past.
        replica.set_fence(image.fence(id));
        let epoch = partition.leader_epoch();
        let partition_epoch = partition.partition_epoch();
        if partition.leader() == Some(self.run.node) {
            let replicas: Vec<_> = partition.replicas().iter().map(|replica| replica.node).collect();
            replica.lead(Lead {
                epoch,
                partition_epoch,
                in_sync: partition.isr().collect(),
                in_sync_min: topic.min_in_sync(partition),
                replicas,
                tier_end: tier.map_or(Offset::ZERO, |tier| tier.end()),
            });
            if let Some(tier) = tier {
                // A start beyond what was known to be committed holds from now on.
                replica.set_tier(tier.start(), tier.end());
            }
            if topic.name().as_str() == OFFSETS_TOPIC {
                self.coordinator.lead(&replica, epoch);
            }
        } else {
            self.coordinator.resign(id);
            replica.follow(Follow { epoch, partition_epoch, leader: partition.leader() });
        }
    }
}
