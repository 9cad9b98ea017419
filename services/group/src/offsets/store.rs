//! `Offsets`: a group's committed offsets by topic and partition.

use std::collections::BTreeMap;

use aquifer_types::{Offset, TimestampMs, TopicId, TopicName};

use crate::answer::FetchedOffset;
use crate::input::Topics;
use crate::record::OffsetValue;

/// What an offset is estimated to take beside its metadata.
const OFFSET_BYTES: usize = 96;

/// What a topic with offsets is estimated to take beside them.
const TOPIC_BYTES: usize = 600;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offsets {
    topics: BTreeMap<TopicName, TopicOffsets>,
    bytes: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct TopicOffsets {
    /// Of the last commit; zero if it named none.
    id: TopicId,
    partitions: BTreeMap<i32, Committed>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Committed {
    offset: Offset,
    leader_epoch: i32,
    metadata: Box<str>,
    committed_at: TimestampMs,
    expires_at: Option<TimestampMs>,
}

impl Offsets {
    pub(crate) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// What they are estimated to take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes one record in.
    pub(crate) fn apply(&mut self, topic: &TopicName, partition: i32, value: Option<OffsetValue>) {
        let Some(value) = value else { return self.remove(topic, partition) };
        if !self.topics.contains_key(topic) {
            self.bytes += TOPIC_BYTES;
            self.topics.insert(topic.clone(), TopicOffsets::default());
        }
        let Some(offsets) = self.topics.get_mut(topic) else { return };
        offsets.id = value.topic_id;
        let committed = Committed {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata,
            committed_at: value.committed_at,
            expires_at: value.expires_at,
        };
        self.bytes += OFFSET_BYTES + committed.metadata.len();
        if let Some(before) = offsets.partitions.insert(partition, committed) {
            self.bytes -= OFFSET_BYTES + before.metadata.len();
        }
    }

    fn remove(&mut self, topic: &TopicName, partition: i32) {
        let Some(offsets) = self.topics.get_mut(topic) else { return };
        if let Some(before) = offsets.partitions.remove(&partition) {
            self.bytes -= OFFSET_BYTES + before.metadata.len();
        }
        if offsets.partitions.is_empty() {
            self.bytes -= TOPIC_BYTES;
            self.topics.remove(topic);
        }
    }

    pub(crate) fn contains(&self, topic: &str, partition: i32) -> bool {
        self.topics.get(topic).is_some_and(|offsets| offsets.partitions.contains_key(&partition))
    }

    /// The offset, unless it was committed to another topic of that name.
    pub(crate) fn fetch(&self, topics: &dyn Topics, topic: &str, partition: i32) -> FetchedOffset {
        let offsets = self.topics.get(topic).filter(|offsets| offsets.belongs_to(topics, topic));
        let committed = offsets.and_then(|offsets| offsets.partitions.get(&partition));
        match committed {
            Some(committed) => FetchedOffset {
                partition,
                offset: committed.offset,
                leader_epoch: committed.leader_epoch,
                metadata: committed.metadata.clone(),
            },
            None => {
                FetchedOffset { partition, offset: Offset(-1), leader_epoch: -1, metadata: Box::default() }
            }
        }
    }

    /// All offsets of topics that are still those they were committed to.
    pub(crate) fn fetch_all(&self, topics: &dyn Topics) -> Vec<(TopicName, Vec<FetchedOffset>)> {
        let current = self.topics.iter().filter(|(name, offsets)| offsets.belongs_to(topics, name.as_str()));
        let fetched = current.map(|(name, offsets)| {
            let partitions = offsets.partitions.keys();
            (name.clone(), partitions.map(|at| self.fetch(topics, name.as_str(), *at)).collect())
        });
        fetched.collect()
    }

    /// Every offset as it is stored.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&TopicName, i32, OffsetValue)> {
        self.topics.iter().flat_map(|(topic, offsets)| {
            offsets.partitions.iter().map(move |(partition, committed)| {
                let value = OffsetValue {
                    offset: committed.offset,
                    leader_epoch: committed.leader_epoch,
                    metadata: committed.metadata.clone(),
                    committed_at: committed.committed_at,
                    expires_at: committed.expires_at,
                    topic_id: offsets.id,
                };
                (topic, *partition, value)
            })
        })
    }

    /// The partitions committed for this topic, if it is the one with this id or no id was kept.
    pub(crate) fn of_topic(&self, topic: &TopicName, id: TopicId) -> Vec<i32> {
        let offsets = self.topics.get(topic).filter(|offsets| offsets.id.0.is_zero() || offsets.id == id);
        offsets.map(|offsets| offsets.partitions.keys().copied().collect()).unwrap_or_default()
    }

    /// Up to `max` offsets that have expired: those kept since before `since`, counting from `idle_since` where that is
    /// later, of topics that nobody subscribes to.
    pub(crate) fn expired(
        &self,
        rule: &Expiry,
        subscribed: impl Fn(&str) -> bool,
        max: usize,
    ) -> Vec<(TopicName, i32)> {
        let unsubscribed = self.topics.iter().filter(|(topic, _)| !subscribed(topic.as_str()));
        let expired = unsubscribed.flat_map(|(topic, offsets)| {
            let of_topic = offsets.partitions.iter().filter(|(_, committed)| rule.has_expired(committed));
            of_topic.map(|(partition, _)| (topic.clone(), *partition))
        });
        expired.take(max).collect()
    }
}

impl TopicOffsets {
    fn belongs_to(&self, topics: &dyn Topics, name: &str) -> bool {
        self.id.0.is_zero() || topics.topic(name).is_none_or(|(id, _)| id == self.id)
    }
}

/// When offsets expire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expiry {
    pub(crate) now: TimestampMs,
    pub(crate) retention_ms: i64,
    /// Since when the group is empty, if that counts.
    pub(crate) idle_since: Option<TimestampMs>,
}

impl Expiry {
    fn has_expired(&self, committed: &Committed) -> bool {
        if let Some(at) = committed.expires_at {
            return at <= self.now;
        }
        let since = self.idle_since.map_or(committed.committed_at, |idle| idle.max(committed.committed_at));
        self.now.0.saturating_sub(since.0) >= self.retention_ms
    }
}
