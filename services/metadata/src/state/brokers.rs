//! Brokers come, go and come back: registration, fencing, unfencing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aquifer_types::{BrokerEpoch, DirectoryId, NodeId, TopicPartition};

use crate::answer::{RegisterRefusal, RunRefusal};
use crate::broker::Broker;
use crate::command::{BrokerRun, RegisterBroker, Verdict};
use crate::config::Durability;
use crate::delta::Delta;
use crate::image::Image;
use crate::state::State;
use crate::state::check::BROKERS_MAX;

impl State {
    /// A new run takes the place of the old one, which holds no role from here on. The same incarnation is a retry.
    pub(crate) fn register_broker(
        &mut self,
        register: &RegisterBroker,
        deltas: &mut Vec<Delta>,
    ) -> Result<BrokerEpoch, RegisterRefusal> {
        let before = self.image.brokers.get(&register.node).cloned();
        if let Some(broker) = before.as_ref().filter(|broker| broker.incarnation == register.incarnation) {
            return Ok(broker.epoch);
        }
        self.image.check_registration(register)?;
        // Indexes start at 1 and grow by one: none will ever exceed 63 bits.
        let epoch = BrokerEpoch(i64::try_from(self.image.applied).unwrap_or(i64::MAX));
        self.image.add_directories(&register.directories);
        let clean = before.is_some_and(|broker| register.clean_epoch == Some(broker.epoch));
        let untrusted = self.return_replicas(register, clean, deltas);
        let broker = Broker {
            node: register.node,
            incarnation: register.incarnation,
            epoch,
            endpoints: register.endpoints.clone(),
            rack: register.rack.clone(),
            directories: register.directories.clone(),
            fenced: true,
            untrusted,
        };
        Arc::make_mut(&mut self.image.brokers).insert(register.node, Arc::new(broker));
        deltas.push(Delta::BrokerChanged(register.node));
        Ok(epoch)
    }

    /// Takes the node's replicas out of all roles and returns those that must not lead as they are.
    fn return_replicas(
        &mut self,
        register: &RegisterBroker,
        clean: bool,
        deltas: &mut Vec<Delta>,
    ) -> BTreeSet<TopicPartition> {
        let verdicts: BTreeMap<TopicPartition, Verdict> =
            register.verdicts.iter().map(|found| (found.partition, found.verdict)).collect();
        let directories = Arc::clone(&self.image.directories);
        let present = |slot: usize| directories.get(slot).is_some_and(|id| register.directories.contains(id));
        self.set_fenced(register.node, true);
        let mut untrusted = BTreeSet::new();
        for at in self.partitions_on(register.node) {
            let damaged = matches!(verdicts.get(&at), Some(Verdict::Corrupt | Verdict::Missing));
            let brokers = Arc::clone(&self.image.brokers);
            self.edit_partition(at, deltas, |topic, partition| {
                let Some(place) = partition.place_of(register.node) else { return };
                let min_in_sync = topic.min_in_sync(partition);
                partition.leave(place, min_in_sync);
                let slot = partition.replicas()[place].directory.0;
                let lost = damaged || !usize::try_from(slot).is_ok_and(present);
                if lost {
                    untrusted.insert(at);
                }
                // Without a clean stop, what was only in the page cache may be gone.
                if lost || (!clean && topic.config().durability == Durability::PageCache) {
                    partition.distrust(place);
                }
                partition.elect(min_in_sync, |node| may_lead(&brokers, node, at));
            });
        }
        untrusted
    }

    pub(crate) fn fence_broker(&mut self, run: BrokerRun, deltas: &mut Vec<Delta>) -> Result<(), RunRefusal> {
        self.image.check_run(run)?;
        if !self.set_fenced(run.node, true) {
            return Ok(());
        }
        deltas.push(Delta::BrokerChanged(run.node));
        let brokers = Arc::clone(&self.image.brokers);
        for at in self.partitions_on(run.node) {
            self.edit_partition(at, deltas, |topic, partition| {
                let Some(place) = partition.place_of(run.node) else { return };
                let min_in_sync = topic.min_in_sync(partition);
                partition.leave(place, min_in_sync);
                partition.elect(min_in_sync, |node| may_lead(&brokers, node, at));
            });
        }
        Ok(())
    }

    pub(crate) fn unfence_broker(
        &mut self,
        run: BrokerRun,
        deltas: &mut Vec<Delta>,
    ) -> Result<(), RunRefusal> {
        self.image.check_run(run)?;
        if !self.set_fenced(run.node, false) {
            return Ok(());
        }
        deltas.push(Delta::BrokerChanged(run.node));
        let brokers = Arc::clone(&self.image.brokers);
        for at in self.partitions_on(run.node) {
            self.edit_partition(at, deltas, |topic, partition| {
                let min_in_sync = topic.min_in_sync(partition);
                partition.elect(min_in_sync, |node| may_lead(&brokers, node, at));
            });
        }
        Ok(())
    }

    /// Whether that changed anything.
    fn set_fenced(&mut self, node: NodeId, fenced: bool) -> bool {
        if self.image.brokers.get(&node).is_none_or(|broker| broker.fenced == fenced) {
            return false;
        }
        if let Some(broker) = Arc::make_mut(&mut self.image.brokers).get_mut(&node) {
            Arc::make_mut(broker).fenced = fenced;
        }
        true
    }

    /// A replica caught up again, or is gone: what recovery found in it no longer matters.
    pub(crate) fn trust(&mut self, node: NodeId, forget: impl Fn(&TopicPartition) -> bool) {
        if !self.image.brokers.get(&node).is_some_and(|broker| broker.untrusted.iter().any(&forget)) {
            return;
        }
        if let Some(broker) = Arc::make_mut(&mut self.image.brokers).get_mut(&node) {
            Arc::make_mut(broker).untrusted.retain(|at| !forget(at));
        }
    }
}

impl Image {
    fn check_registration(&self, register: &RegisterBroker) -> Result<(), RegisterRefusal> {
        if self.cluster.is_none() {
            return Err(RegisterRefusal::NoCluster);
        }
        if register.node.0 < 0 {
            return Err(RegisterRefusal::NodeId(register.node));
        }
        if register.endpoints.is_empty() || register.directories.is_empty() {
            return Err(RegisterRefusal::Incomplete);
        }
        if !self.brokers.contains_key(&register.node) && self.brokers.len() >= BROKERS_MAX {
            return Err(RegisterRefusal::TooMany(self.brokers.len()));
        }
        let mut listeners = BTreeSet::new();
        if let Some(twice) = register.endpoints.iter().find(|endpoint| !listeners.insert(&endpoint.listener))
        {
            return Err(RegisterRefusal::Twice(twice.listener.clone()));
        }
        let mut directories = BTreeSet::new();
        if let Some(twice) = register.directories.iter().find(|directory| !directories.insert(**directory)) {
            return Err(RegisterRefusal::Twice(twice.to_string()));
        }
        let others = self.brokers.values().filter(|broker| broker.node != register.node);
        for other in others {
            if let Some(shared) = other.directories.iter().find(|directory| directories.contains(directory)) {
                return Err(RegisterRefusal::DirectoryOwned {
                    directory: shared.to_string(),
                    owner: other.node,
                });
            }
        }
        Ok(())
    }

    fn add_directories(&mut self, directories: &[DirectoryId]) {
        for directory in directories {
            if !self.directories.contains(directory) {
                Arc::make_mut(&mut self.directories).push(*directory);
            }
        }
    }
}

/// Whether a broker is live and its replica sound.
pub(crate) fn may_lead(brokers: &BTreeMap<NodeId, Arc<Broker>>, node: NodeId, at: TopicPartition) -> bool {
    brokers.get(&node).is_some_and(|broker| !broker.fenced && !broker.untrusted.contains(&at))
}
