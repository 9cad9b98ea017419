//! Deleted topics are remembered for as long as the bucket has what was in them, and can come back until it is decided
//! that their objects go.

use std::sync::Arc;

use aquifer_manifest::Tier;
use aquifer_types::{Offset, PartitionIndex, TimestampMs, TopicId, TopicName, TopicPartition};

use crate::answer::UndeleteRefusal;
use crate::command::UndeleteTopic;
use crate::config::ConfigMap;
use crate::delta::Delta;
use crate::image::Image;
use crate::state::State;
use crate::topic::Topic;

/// A topic that is gone, of which there are still objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Deleted {
    pub(crate) id: TopicId,
    pub(crate) name: TopicName,
    pub(crate) overrides: ConfigMap,
    pub(crate) at: TimestampMs,
    /// Where the log of each partition started; none of those with nothing in the tier.
    pub(crate) starts: Vec<Option<Offset>>,
}

impl Deleted {
    #[must_use]
    pub fn id(&self) -> TopicId {
        self.id
    }

    #[must_use]
    pub fn name(&self) -> &TopicName {
        &self.name
    }

    /// What was set on the topic itself.
    #[must_use]
    pub fn overrides(&self) -> &ConfigMap {
        &self.overrides
    }

    #[must_use]
    pub fn partition_count(&self) -> usize {
        self.starts.len()
    }

    /// Its partitions, from 0.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = TopicPartition> {
        let topic = self.id;
        let partitions = (0..).map(PartitionIndex).take(self.starts.len());
        partitions.map(move |partition| TopicPartition { topic, partition })
    }

    /// When it was deleted, by the cluster's clock.
    #[must_use]
    pub fn at(&self) -> TimestampMs {
        self.at
    }
}

impl Image {
    /// Deleted topics of which there are still objects.
    pub fn deleted_topics(&self) -> impl Iterator<Item = &Arc<Deleted>> {
        self.deleted.values()
    }

    /// What a deleted topic would have in its tier again; an error once it was decided that some of it goes.
    pub fn revived_tiers(&self, deleted: &Deleted) -> Result<Vec<(PartitionIndex, Tier)>, UndeleteRefusal> {
        let starts = deleted.partitions().zip(&deleted.starts);
        let with_objects = starts.filter_map(|(at, start)| Some((at, (*start)?)));
        let revived = with_objects.map(|(at, start)| {
            let tier = self.tier(at).ok_or(UndeleteRefusal::TooLate)?;
            Ok((at.partition, tier.revived(start).ok_or(UndeleteRefusal::TooLate)?))
        });
        revived.collect()
    }
}

impl State {
    /// Remembers a topic that is being deleted, if any of it is in the tier.
    pub(crate) fn remember_deleted(&mut self, topic: &Topic) {
        let start = |index| {
            let tier = self.image.tiers.get(&topic.at(index))?;
            (!tier.live().is_empty()).then(|| tier.start())
        };
        let starts: Vec<Option<Offset>> = topic.partitions().map(|(index, _)| start(index)).collect();
        if starts.iter().any(Option::is_some) {
            let (id, name, overrides) = (topic.id, topic.name.clone(), topic.overrides.clone());
            let deleted = Deleted { id, name, overrides, at: self.image.time, starts };
            self.image.deleted.insert(id, Arc::new(deleted));
        }
    }

    /// Nothing of the topic is left in the bucket.
    pub(crate) fn forget_deleted(&mut self, topic: TopicId) {
        let Some(deleted) = self.image.deleted.get(&topic).cloned() else { return };
        if deleted.partitions().all(|at| self.image.tiers.get(&at).is_none()) {
            self.image.deleted.remove(&topic);
        }
    }

    /// The topic comes back under another id, for which its objects were copied. The same again is a retry.
    pub(crate) fn undelete_topic(
        &mut self,
        undelete: &UndeleteTopic,
        deltas: &mut Vec<Delta>,
    ) -> Result<(), UndeleteRefusal> {
        let UndeleteTopic { deleted, topic } = undelete;
        if self.image.topics.get(&topic.id).is_some_and(|known| known.name == topic.name) {
            return Ok(());
        }
        let deleted = self.image.deleted.get(deleted).cloned().ok_or(UndeleteRefusal::Unknown)?;
        if deleted.name != topic.name || deleted.partition_count() != topic.partitions.len() {
            return Err(UndeleteRefusal::Unknown);
        }
        let tiers = self.image.revived_tiers(&deleted)?;
        self.create_topic(topic, deltas)?;
        for (partition, tier) in tiers {
            let at = TopicPartition { topic: topic.id, partition };
            self.image.tiers.insert(at, Arc::new(tier.by_itself()));
            deltas.push(Delta::TierChanged(at));
        }
        self.image.deleted.remove(&deleted.id);
        Ok(())
    }
}
