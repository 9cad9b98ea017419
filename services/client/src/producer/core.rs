//! `Core`: every topic's queues, who leads them, and what is due to which broker.

use std::collections::BTreeMap;
use std::sync::Arc;

use aquifer_record::NewRecord;
use aquifer_runtime::Now;
use aquifer_types::{NodeId, PartitionIndex, TopicId};
use aquifer_wire::Text;

use super::delivery::{Delivery, Outcome};
use super::handle::SendError;
use super::partitioner::{Sticky, partition_of_key};
use super::queue::{Answer, Batch, Due, Limits, Queue};
use super::record::Outgoing;
use super::settings::ProducerSettings;
use crate::cluster::{Leader, Topic};
use crate::produce::ProducerIdentity;

/// A producer's state; changes only under its lock, and never waits.
#[derive(Debug)]
pub(crate) struct Core {
    limits: Limits,
    request_bytes_max: usize,
    is_idempotent: bool,
    identity: Option<ProducerIdentity>,
    /// A partition used up the identity's epochs.
    is_exhausted: bool,
    topics: BTreeMap<Text, Queues>,
    closed: bool,
}

#[derive(Debug)]
struct Queues {
    id: TopicId,
    sticky: Sticky,
    partitions: Vec<Led>,
}

#[derive(Debug, Default)]
struct Led {
    leader: Option<NodeId>,
    queue: Queue,
}

/// A batch that was taken to be sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) topic: Text,
    pub(crate) topic_id: TopicId,
    pub(crate) partition: PartitionIndex,
    pub(crate) batch: Batch,
}

/// What a broker's lane is to do.
#[derive(Debug)]
pub(crate) struct Drained {
    pub(crate) batches: Vec<Sent>,
    pub(crate) due: Due,
}

/// A record has its place in a batch.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) delivery: Delivery,
    /// Who should look, if anyone: the leader's lane, or the router where there is no leader.
    pub(crate) look: Option<Option<NodeId>>,
}

/// A record has no place.
#[derive(Debug)]
pub(crate) enum Unqueued {
    /// Its topic's partitions are not known yet.
    UnknownTopic,
    Refused(SendError),
}

impl Core {
    pub(crate) fn new(settings: &ProducerSettings) -> Core {
        let limits = Limits {
            encoding: settings.encoding,
            batch_bytes_max: settings.batch_bytes_max,
            linger: settings.linger,
            delivery_timeout: settings.delivery_timeout,
            per_partition: settings.per_partition(),
        };
        Core {
            limits,
            request_bytes_max: settings.request_bytes_max,
            is_idempotent: settings.idempotent,
            identity: None,
            is_exhausted: false,
            topics: BTreeMap::new(),
            closed: false,
        }
    }

    pub(crate) fn push(
        &mut self,
        record: &Outgoing<'_>,
        bytes: usize,
        now: Now,
        draw: impl FnOnce() -> u64,
    ) -> Result<Queued, Unqueued> {
        if self.closed {
            return Err(Unqueued::Refused(SendError::Closed));
        }
        let topic = self.topics.get_mut(record.topic).ok_or(Unqueued::UnknownTopic)?;
        topic.push(record, bytes, &self.limits, now, draw).map_err(Unqueued::Refused)
    }

    /// The same for records of one topic; nothing if they are of several, or if it or a partition that they name is not
    /// known yet.
    pub(crate) fn push_all(
        &mut self,
        records: &[Outgoing<'_>],
        now: Now,
        draw: impl Fn() -> u64,
    ) -> Option<Vec<Result<Queued, SendError>>> {
        if self.closed {
            return Some(records.iter().map(|_| Err(SendError::Closed)).collect());
        }
        let name = records.first()?.topic;
        let topic = self.topics.get_mut(name)?;
        let count = topic.partitions.len();
        let is_there = |it: PartitionIndex| usize::try_from(it.0).is_ok_and(|index| index < count);
        if !records.iter().all(|it| it.topic == name && it.partition.is_none_or(is_there)) {
            return None;
        }
        let limits = &self.limits;
        Some(records.iter().map(|it| topic.push(it, it.bytes_max(), limits, now, &draw)).collect())
    }

    /// Takes in who leads what; says which brokers lead something.
    pub(crate) fn learn(&mut self, name: &Text, known: &Topic) -> Vec<NodeId> {
        let topic = self.topics.entry(name.clone()).or_insert_with(|| Queues {
            id: known.id,
            sticky: Sticky::default(),
            partitions: Vec::new(),
        });
        topic.id = known.id;
        if topic.partitions.len() < known.partitions {
            topic.partitions.resize_with(known.partitions, Led::default);
        }
        for (index, Leader { node, .. }) in &known.leaders {
            let led = usize::try_from(index.0).ok().and_then(|index| topic.partitions.get_mut(index));
            if let Some(led) = led {
                led.leader = Some(*node);
            }
        }
        known.leaders.values().map(|leader| leader.node).collect()
    }

    /// The topics that were sent to.
    pub(crate) fn names(&self) -> Vec<Text> {
        self.topics.keys().cloned().collect()
    }

    /// Puts the topics with unsent records that nobody leads into the answer, after failing what waited too long.
    pub(crate) fn leaderless(&mut self, now: Now) -> Vec<Text> {
        let mut names = Vec::new();
        for (name, topic) in &mut self.topics {
            let mut waits = false;
            for led in topic.partitions.iter_mut().filter(|led| led.leader.is_none()) {
                led.queue.expire(now.monotonic);
                waits |= led.queue.has_unsent();
            }
            if waits {
                names.push(name.clone());
            }
        }
        names
    }

    /// Takes what is due to `node`, one batch of each partition at most; nothing if it has `room` for no request.
    pub(crate) fn drain(&mut self, node: NodeId, now: Now, room: bool) -> Drained {
        let mut drained = Drained { batches: Vec::new(), due: Due::Later };
        let mut bytes = 0;
        for (name, topic) in &mut self.topics {
            for (index, led) in topic.partitions.iter_mut().enumerate() {
                if led.leader != Some(node) || !led.queue.has_unsent() {
                    continue;
                }
                led.queue.expire(now.monotonic);
                if led.queue.needs_identity() {
                    self.identity = None;
                    self.is_exhausted = true;
                }
                let may_send = room && (!self.is_idempotent || self.identity.is_some());
                if may_send
                    && bytes < self.request_bytes_max
                    && let Some(batch) = led.queue.take(self.identity, &self.limits, now.monotonic)
                {
                    bytes += batch.unpacked_bytes();
                    let partition = PartitionIndex(i32::try_from(index).unwrap_or(i32::MAX));
                    drained.batches.push(Sent { topic: name.clone(), topic_id: topic.id, partition, batch });
                }
                let due = match led.queue.due(&self.limits, now.monotonic) {
                    // Without room an answer has to come first.
                    Due::Now if !may_send => Due::Later,
                    due => due,
                };
                let expires = led.queue.expires().map_or(Due::Later, Due::At);
                drained.due = drained.due.sooner(due).sooner(expires);
            }
        }
        drained
    }

    /// Gives a batch back with its answer. An error that says the leader is another makes its partition leaderless.
    pub(crate) fn settle(&mut self, sent: Sent, answer: Answer, now: Now, random: u64) -> Settled {
        let stale = matches!(&answer, Answer::Failed(error) if error.hints_at_stale_metadata());
        let Some(topic) = self.topics.get_mut(&sent.topic) else { return Settled::Kept };
        let led = usize::try_from(sent.partition.0).ok().and_then(|index| topic.partitions.get_mut(index));
        let Some(led) = led else { return Settled::Kept };
        led.queue.settle(sent.batch, answer, now.monotonic, random);
        if stale {
            led.leader = None;
            return Settled::Leaderless;
        }
        Settled::Kept
    }

    /// What settled batches gave back of the buffer.
    pub(crate) fn freed(&mut self) -> usize {
        self.queues().map(Queue::freed).sum()
    }

    /// Closes every open batch, so that it is sent.
    pub(crate) fn seal(&mut self) {
        self.queues().for_each(Queue::seal);
    }

    /// Closes every open batch and says what is not settled yet.
    pub(crate) fn flush(&mut self) -> Vec<Arc<Outcome>> {
        let mut unsettled = Vec::new();
        for queue in self.queues() {
            queue.seal();
            unsettled.extend(queue.unsettled().cloned());
        }
        unsettled
    }

    /// Takes no further record, and fails what is not under way.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.queues().for_each(Queue::close);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the identity it had is used up.
    pub(crate) fn needs_identity(&self) -> bool {
        self.is_exhausted
    }

    pub(crate) fn identify(&mut self, identity: ProducerIdentity) {
        self.identity = Some(identity);
        self.is_exhausted = false;
    }

    fn queues(&mut self) -> impl Iterator<Item = &mut Queue> {
        self.topics.values_mut().flat_map(|topic| &mut topic.partitions).map(|led| &mut led.queue)
    }
}

impl Queues {
    fn push(
        &mut self,
        record: &Outgoing<'_>,
        bytes: usize,
        limits: &Limits,
        now: Now,
        draw: impl FnOnce() -> u64,
    ) -> Result<Queued, SendError> {
        let partitions = self.partitions.len();
        let partition = match (record.partition, record.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partition_of_key(key, partitions),
            (None, None) => self.sticky.next(bytes, partitions, limits.batch_bytes_max, draw),
        };
        let led = usize::try_from(partition.0).ok().and_then(|index| self.partitions.get_mut(index));
        let led = led.ok_or(SendError::NoSuchPartition { partition: partition.0, partitions })?;
        let fresh = NewRecord {
            timestamp: record.timestamp.unwrap_or(now.wall),
            key: record.key,
            value: record.value,
            headers: record.headers,
        };
        let pushed = led.queue.push(&fresh, bytes, limits, now.monotonic);
        let (outcome, index, look) = pushed.map_err(SendError::Unpackable)?;
        Ok(Queued { delivery: Delivery { outcome, partition, index }, look: look.then_some(led.leader) })
    }
}

/// What a settled batch means for its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Kept,
    Leaderless,
}

impl Due {
    fn sooner(self, other: Due) -> Due {
        match (self, other) {
            (Due::Now, _) | (_, Due::Now) => Due::Now,
            (Due::At(one), Due::At(other)) => Due::At(one.min(other)),
            (Due::At(at), Due::Later) | (Due::Later, Due::At(at)) => Due::At(at),
            (Due::Later, Due::Later) => Due::Later,
        }
    }
}
