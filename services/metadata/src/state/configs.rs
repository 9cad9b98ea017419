//! Configs are changed, and what follows from that for topics.

use std::sync::Arc;

use aquifer_types::TopicId;

use crate::answer::AlterConfigRefusal;
use crate::command::AlterConfig;
use crate::config::{ConfigMap, ConfigResource, TopicConfig};
use crate::delta::Delta;
use crate::state::State;

impl State {
    pub(crate) fn alter_config(
        &mut self,
        alter: &AlterConfig,
        deltas: &mut Vec<Delta>,
    ) -> Result<(), AlterConfigRefusal> {
        let after = self.image.check_alter_config(alter)?;
        match &alter.resource {
            ConfigResource::Topic(name) => {
                if let Some(id) = self.image.names.get(name).copied() {
                    self.set_overrides(id, after);
                    self.refresh_config(id, deltas);
                }
            }
            ConfigResource::Broker(_) => self.set_cluster_config(after, deltas),
            ConfigResource::Group(group) => {
                if after.is_empty() {
                    self.image.groups.remove(group);
                } else {
                    self.image.groups.insert(group.clone(), Arc::new(after));
                }
                deltas.push(Delta::GroupConfigChanged(group.clone()));
            }
        }
        Ok(())
    }

    fn set_overrides(&mut self, id: TopicId, overrides: ConfigMap) {
        if let Some(topic) = self.image.topics.get_mut(&id) {
            Arc::make_mut(topic).overrides = overrides;
        }
    }

    fn set_cluster_config(&mut self, after: ConfigMap, deltas: &mut Vec<Delta>) {
        if *self.image.cluster_config == after {
            return;
        }
        self.image.default_config = Arc::new(TopicConfig::of_cluster(&after));
        self.image.cluster_config = Arc::new(after);
        deltas.push(Delta::ClusterConfigChanged);
        let ids: Vec<TopicId> = self.image.topics.iter().map(|(id, _)| *id).collect();
        for id in ids {
            self.refresh_config(id, deltas);
        }
    }

    /// Brings what is in force for a topic up to date with what is set.
    fn refresh_config(&mut self, id: TopicId, deltas: &mut Vec<Delta>) {
        let Some(topic) = self.image.topics.get(&id) else { return };
        let config = self.image.resolve(&topic.name, &topic.overrides);
        if *topic.config == *config {
            return;
        }
        let lower = config.min_in_sync_replicas < topic.config.min_in_sync_replicas;
        if let Some(topic) = self.image.topics.get_mut(&id) {
            Arc::make_mut(topic).config = config;
        }
        deltas.push(Delta::TopicConfigChanged(id));
        if lower {
            self.forget_eligible(id, deltas);
        }
    }

    /// With a lower minimum an in-sync set that was too small acknowledges again, without those that were eligible.
    fn forget_eligible(&mut self, id: TopicId, deltas: &mut Vec<Delta>) {
        let Some(topic) = self.image.topics.get(&id).cloned() else { return };
        for (index, _) in topic.partitions() {
            self.edit_partition(topic.at(index), deltas, |topic, partition| {
                let min_in_sync = topic.min_in_sync(partition);
                partition.forget_eligible(min_in_sync);
            });
        }
    }
}
