//! `Input`: everything that can happen to a shard, and what requests ask.

use std::sync::Arc;

use aquifer_types::{Offset, TimestampMs, TopicId, TopicName};

use crate::names::{GroupId, InstanceId, MemberId};
use crate::record::Partitions;
use crate::settings::GroupConfig;

/// Names one request until it is answered; chosen by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// The time, twice: what timers count in never jumps, what records are stamped with may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since some fixed moment.
    pub elapsed_ms: u64,
    pub wall: TimestampMs,
}

/// What the core asks of the cluster's metadata.
pub trait Topics {
    /// The topic's id and how many partitions it has.
    fn topic(&self, name: &str) -> Option<(TopicId, i32)>;

    /// The name of a topic that exists.
    fn name(&self, id: TopicId) -> Option<TopicName>;

    /// Appends the racks that hold replicas of the partition.
    fn racks(&self, id: TopicId, partition: i32, racks: &mut Vec<Arc<str>>);

    /// Rises with every change of any topic.
    fn version(&self) -> i64;

    /// What is configured for this group alone.
    fn group(&self, _group: &GroupId) -> GroupConfig {
        GroupConfig::default()
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Request {
        ticket: Ticket,
        group: GroupId,
        request: Request,
    },
    List {
        ticket: Ticket,
        filter: ListFilter,
    },
    /// Asks for every committed offset, as records that make another shard know them.
    Export {
        ticket: Ticket,
    },
    /// These topics are gone for good: their offsets are removed.
    TopicsDeleted(Vec<(TopicName, TopicId)>),
    /// These topics were created, deleted, or have other partitions or racks: who reads them is given a new target
    /// without waiting for a heartbeat.
    TopicsChanged(Vec<TopicName>),
    /// A pattern was resolved; the topics are sorted.
    PatternResolved {
        group: GroupId,
        pattern: Arc<str>,
        topics: Vec<Arc<str>>,
        version: i64,
    },
}

/// What a client asks of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Join(Join),
    Sync(Sync),
    Heartbeat(Heartbeat),
    Leave(Vec<Leaver>),
    Commit(Commit),
    FetchOffsets(FetchOffsets),
    DeleteOffsets(Vec<(TopicName, Vec<i32>)>),
    Describe,
    Delete,
    ConsumerHeartbeat(ConsumerHeartbeat),
    ConsumerDescribe,
}

impl Request {
    /// Whether the shard may want to store something because of it.
    #[must_use]
    pub fn may_store(&self) -> bool {
        !matches!(self, Request::FetchOffsets(_) | Request::Describe | Request::ConsumerDescribe)
    }
}

/// A classic member wants in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Empty for a client that has no id yet.
    pub member: MemberId,
    pub instance: Option<InstanceId>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub protocol_type: Arc<str>,
    /// In the order in which the client prefers them.
    pub protocols: Vec<(Arc<str>, Arc<[u8]>)>,
    /// Version 4 on: a dynamic member is told its id before it is counted.
    pub needs_known_id: bool,
    /// Version 9 on: a leader can be told that nothing is to be assigned.
    pub can_skip_assignment: bool,
    /// The id that the member gets if it has none: unique, drawn by the caller.
    pub fresh_id: MemberId,
}

/// A classic member asks for its assignment; the leader brings everyone's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sync {
    pub member: MemberId,
    pub instance: Option<InstanceId>,
    pub generation: i32,
    pub protocol_type: Option<Arc<str>>,
    pub protocol: Option<Arc<str>>,
    pub assignments: Vec<(MemberId, Arc<[u8]>)>,
}

/// A classic member is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    pub member: MemberId,
    pub instance: Option<InstanceId>,
    pub generation: i32,
}

/// A member of the consumer protocol joins, stays or leaves. Absent fields have not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerHeartbeat {
    pub member: MemberId,
    /// 0 joins, -1 leaves, -2 leaves for a moment.
    pub epoch: i32,
    pub instance: Option<InstanceId>,
    pub rack: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    /// -1 is absent.
    pub rebalance_timeout_ms: i32,
    pub topics: Option<Vec<Arc<str>>>,
    /// Valid, and matched against whole names; empty unsubscribes.
    pub pattern: Option<Arc<str>>,
    pub assignor: Option<Arc<str>>,
    pub owned: Option<Partitions>,
    /// A session timeout for this member alone.
    pub session_timeout_ms: Option<i32>,
}

/// One of those who leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaver {
    /// Empty where only the instance is named.
    pub member: MemberId,
    pub instance: Option<InstanceId>,
}

/// Offsets to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    pub member: MemberId,
    pub instance: Option<InstanceId>,
    /// A classic generation or a member epoch; -1 outside of any membership.
    pub generation: i32,
    /// Version 9 on: the client knows the errors of the consumer protocol.
    pub knows_epochs: bool,
    /// Versions 2 to 4: how long to keep these.
    pub retention_ms: Option<i64>,
    pub topics: Vec<(TopicName, Vec<CommitPartition>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitPartition {
    pub partition: i32,
    pub offset: Offset,
    pub leader_epoch: i32,
    pub metadata: Box<str>,
}

/// Which offsets are wanted, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchOffsets {
    pub member: Option<MemberId>,
    /// -1 outside of any membership.
    pub epoch: i32,
    /// `None` asks for all.
    pub topics: Option<Vec<(TopicName, Vec<i32>)>>,
}

/// Which groups are listed; empty lists ask for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Names of states, whatever their case.
    pub states: Vec<Arc<str>>,
    /// `classic` or `consumer`, whatever their case.
    pub types: Vec<Arc<str>>,
}
