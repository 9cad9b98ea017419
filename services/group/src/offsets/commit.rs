//! Commits, reads and removals of offsets, once the group's rules have let them pass.

use aquifer_types::{TimestampMs, TopicName};

use super::Offsets;
use crate::answer::{ByPartition, FetchedOffset, Refusal};
use crate::input::{Commit, CommitPartition, Topics};
use crate::names::GroupId;
use crate::record::{GroupRecord, OffsetValue};
use crate::turn::Turn;

impl Offsets {
    /// Keeps what `allowed` lets pass.
    pub(crate) fn commit(
        &mut self,
        turn: &mut Turn<'_>,
        group: &GroupId,
        commit: &Commit,
        allowed: impl Fn(&TopicName, i32) -> Result<(), Refusal>,
    ) -> ByPartition {
        let mut outcomes = Vec::new();
        for (topic, partitions) in &commit.topics {
            let mut of_topic = Vec::new();
            for wanted in partitions {
                let value = allowed(topic, wanted.partition)
                    .and_then(|()| stored(turn, topic, wanted, commit.retention_ms));
                let outcome = value.map(|value| {
                    self.write(turn, group, topic, wanted.partition, Some(value));
                });
                of_topic.push((wanted.partition, outcome));
            }
            outcomes.push((topic.clone(), of_topic));
        }
        outcomes
    }

    /// What a client asked for, or everything.
    pub(crate) fn read(
        &self,
        topics: &dyn Topics,
        wanted: Option<&[(TopicName, Vec<i32>)]>,
    ) -> Vec<(TopicName, Vec<FetchedOffset>)> {
        let Some(wanted) = wanted else { return self.fetch_all(topics) };
        let read = wanted.iter().map(|(topic, partitions)| {
            let fetched = partitions.iter().map(|partition| self.fetch(topics, topic.as_str(), *partition));
            (topic.clone(), fetched.collect())
        });
        read.collect()
    }

    /// Removes what nobody subscribes to.
    pub(crate) fn delete(
        &mut self,
        turn: &mut Turn<'_>,
        group: &GroupId,
        wanted: &[(TopicName, Vec<i32>)],
        subscribed: impl Fn(&str) -> bool,
    ) -> ByPartition {
        let mut outcomes = Vec::new();
        for (topic, partitions) in wanted {
            let refusal = subscribed(topic.as_str()).then_some(Refusal::SubscribedToTopic);
            let mut of_topic = Vec::new();
            for &partition in partitions {
                if refusal.is_none() && self.contains(topic.as_str(), partition) {
                    self.write(turn, group, topic, partition, None);
                }
                of_topic.push((partition, refusal.clone().map_or(Ok(()), Err)));
            }
            outcomes.push((topic.clone(), of_topic));
        }
        outcomes
    }

    pub(crate) fn remove_all(
        &mut self,
        turn: &mut Turn<'_>,
        group: &GroupId,
        partitions: impl IntoIterator<Item = (TopicName, i32)>,
    ) {
        for (topic, partition) in partitions {
            self.write(turn, group, &topic, partition, None);
        }
    }

    fn write(
        &mut self,
        turn: &mut Turn<'_>,
        group: &GroupId,
        topic: &TopicName,
        partition: i32,
        value: Option<OffsetValue>,
    ) {
        self.apply(topic, partition, value.clone());
        turn.records.push(GroupRecord::Offset {
            group: group.clone(),
            topic: topic.clone(),
            partition,
            value,
        });
    }
}

fn stored(
    turn: &Turn<'_>,
    topic: &TopicName,
    wanted: &CommitPartition,
    retention_ms: Option<i64>,
) -> Result<OffsetValue, Refusal> {
    let (topic_id, partitions) = turn.topics.topic(topic.as_str()).ok_or(Refusal::UnknownTopicOrPartition)?;
    if !(0..partitions).contains(&wanted.partition) {
        return Err(Refusal::UnknownTopicOrPartition);
    }
    if wanted.metadata.len() > turn.settings.offset_metadata_bytes_max {
        return Err(Refusal::OffsetMetadataTooLarge);
    }
    let wall = turn.now.wall;
    Ok(OffsetValue {
        offset: wanted.offset,
        leader_epoch: wanted.leader_epoch,
        metadata: wanted.metadata.clone(),
        committed_at: wall,
        expires_at: retention_ms.filter(|ms| *ms >= 0).map(|ms| TimestampMs(wall.0.saturating_add(ms))),
        topic_id,
    })
}
