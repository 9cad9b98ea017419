//! `Answer`: what requests are told, and `Refusal`: why they are not done.

use std::sync::Arc;

use aquifer_types::{Offset, TopicId, TopicName};

use crate::input::Ticket;
use crate::names::{GroupId, InstanceId, MemberId};
use crate::record::{GroupRecord, MemberValue, Partitions};

/// What came of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Where the records are expected to lie; elsewhere, the shard must be loaded anew.
    pub base: Offset,
    /// To be appended as one batch before the next input; empty if nothing changed.
    pub records: Vec<GroupRecord>,
    /// To be sent.
    pub replies: Vec<Reply>,
    /// To be resolved, and told of with `Input::PatternResolved`.
    pub patterns: Vec<Resolve>,
}

/// A pattern whose topics are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolve {
    pub group: GroupId,
    /// Must match a topic's whole name.
    pub pattern: Arc<str>,
    /// Of the metadata, at least; goes back with the result.
    pub version: i64,
}

/// One answer on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub ticket: Ticket,
    pub answer: Answer,
}

/// What came of each partition of a request.
pub type ByPartition = Vec<(TopicName, Vec<(i32, Result<(), Refusal>)>)>;

/// What a request is told, by the kind of request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Join(Result<Joined, Refusal>),
    Sync(Result<Synced, Refusal>),
    Heartbeat(Result<(), Refusal>),
    /// One for each that was to leave, in their order.
    Leave(Vec<Left>),
    Commit(Result<ByPartition, Refusal>),
    FetchOffsets(Result<Vec<(TopicName, Vec<FetchedOffset>)>, Refusal>),
    DeleteOffsets(Result<ByPartition, Refusal>),
    Describe(Result<Described, Refusal>),
    Delete(Result<(), Refusal>),
    List(Vec<Listed>),
    Export(Vec<GroupRecord>),
    ConsumerHeartbeat(Result<HeartbeatAnswer, Refusal>),
    ConsumerDescribe(Result<ConsumerDescribed, Refusal>),
}

/// A member is in a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    pub generation: i32,
    pub protocol_type: Arc<str>,
    pub protocol: Option<Arc<str>>,
    pub leader: MemberId,
    pub member: MemberId,
    pub skip_assignment: bool,
    /// Everyone with their subscription, for the leader alone.
    pub members: Vec<JoinedMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    pub id: MemberId,
    pub instance: Option<InstanceId>,
    pub metadata: Arc<[u8]>,
}

/// A member's share of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    pub protocol_type: Arc<str>,
    pub protocol: Option<Arc<str>>,
    pub assignment: Arc<[u8]>,
}

/// Whether one of those who leave has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub member: MemberId,
    pub instance: Option<InstanceId>,
    pub outcome: Result<(), Refusal>,
}

/// A committed offset; -1 where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedOffset {
    pub partition: i32,
    pub offset: Offset,
    pub leader_epoch: i32,
    pub metadata: Box<str>,
}

/// A classic group as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub state: &'static str,
    pub protocol_type: Arc<str>,
    pub protocol: Arc<str>,
    pub members: Vec<DescribedMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedMember {
    pub id: MemberId,
    pub instance: Option<InstanceId>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub metadata: Arc<[u8]>,
    pub assignment: Arc<[u8]>,
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub group: GroupId,
    pub protocol_type: Arc<str>,
    pub state: &'static str,
    pub group_type: &'static str,
}

/// A member of a consumer group is told where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    pub member: MemberId,
    pub epoch: i32,
    pub heartbeat_interval_ms: i32,
    /// What holds for the member if it asked for its own.
    pub session_timeout_ms: Option<i32>,
    /// All that the member is to own; `None` if that has not changed.
    pub assignment: Option<Partitions>,
}

/// A consumer group as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerDescribed {
    pub state: &'static str,
    pub epoch: i32,
    pub assignment_epoch: i32,
    pub assignor: &'static str,
    pub members: Vec<ConsumerMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerMember {
    pub id: MemberId,
    pub said: MemberValue,
    pub epoch: i32,
    pub assigned: Vec<(TopicId, TopicName, Vec<i32>)>,
    pub target: Vec<(TopicId, TopicName, Vec<i32>)>,
}

/// Why a request is not done. One enumeration for all requests, because Kafka has one table of codes for them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("group id is empty or too long")]
    InvalidGroupId,
    #[error("group does not exist")]
    GroupIdNotFound,
    #[error("group has members; remove them first")]
    NonEmptyGroup,
    #[error("group subscribes to the topic; unsubscribe first")]
    SubscribedToTopic,
    #[error("group has as many members as it may; raise group.max.size or remove some")]
    GroupMaxSize,
    #[error("coordinator holds as much as it may; try again later")]
    Full,
    #[error("session timeout is outside of what the broker allows")]
    InvalidSessionTimeout,
    #[error("protocols do not fit those of the group's members")]
    InconsistentProtocol,
    #[error("request is not valid: {0}")]
    InvalidRequest(&'static str),
    #[error("join again with member id {member}")]
    MemberIdRequired { member: MemberId },
    #[error("member is not in the group; join again")]
    UnknownMember,
    #[error("another client has taken over this instance id")]
    FencedInstance,
    #[error("generation is not the group's; join again")]
    IllegalGeneration,
    #[error("group is rebalancing; join again")]
    RebalanceInProgress,
    #[error("offset metadata is longer than offset.metadata.max.bytes")]
    OffsetMetadataTooLarge,
    #[error("topic or partition does not exist")]
    UnknownTopicOrPartition,
    #[error("member epoch is not the member's; join again with epoch 0")]
    FencedEpoch,
    #[error("member epoch is not the current one; heartbeat, then try again")]
    StaleEpoch,
    #[error("another member holds this instance id; let it leave first")]
    UnreleasedInstance,
    #[error("assignor is not known; use uniform or range")]
    UnsupportedAssignor,
    #[error("pattern is too long")]
    InvalidPattern,
    #[error("members of the consumer protocol commit with version 9 or later")]
    UnsupportedVersion,
}
