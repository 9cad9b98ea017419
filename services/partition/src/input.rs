//! `Input`: everything that can happen to a replica.

use aquifer_record::BatchHeader;
use aquifer_types::{FencingToken, LeaderEpoch, NodeId, Offset, PartitionEpoch};

/// Names one append until it is acknowledged or refused; chosen by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// When an append is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Acks {
    /// Never.
    None,
    /// Once it is written to the leader's segment.
    Leader,
    /// Once it lies below the high watermark.
    All,
}

/// What makes a record of this topic durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Durability {
    /// Being flushed.
    #[default]
    Flushed,
    /// Being written.
    PageCache,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The quorum made this replica the leader, or changed the in-sync set under it.
    Lead(Lead),
    /// The quorum made another replica the leader, or none.
    Follow(Follow),
    /// This replica may serve nothing: its directory failed or its log is damaged.
    GoOffline,
    /// A client's batch, already checked.
    Append(Append),
    /// A batch from the leader, its offsets and epoch as given.
    Replicate(BatchHeader),
    /// The leader answered a fetch without divergence.
    LeaderAnswered { epoch: LeaderEpoch, high_watermark: Offset, log_start: Offset },
    /// The log was cut, durably, because it diverged from the leader's; producers are restored separately.
    Truncated { to: Offset },
    /// Everything below `upto` stands in segments.
    Written { upto: Offset },
    /// Everything below `upto` survives power loss.
    Flushed { upto: Offset },
    /// The segment was cut back to `from`: nothing from there on was written, nor will be.
    WriteFailed { from: Offset },
    /// A follower asked for records from `from` on, so it holds everything below.
    FollowerFetched { epoch: LeaderEpoch, follower: NodeId, from: Offset },
    /// A follower flushed everything below `upto`.
    FollowerFlushed { epoch: LeaderEpoch, follower: NodeId, upto: Offset },
    /// Records below `upto` are gone from our disk, and durably so.
    MoveLogStart { upto: Offset },
    /// The quorum says that everything from `start` to `end` can be read from the tier.
    Tiered { start: Offset, end: Offset },
    /// The quorum gave the partition this fencing token, or none.
    Fence(Option<FencingToken>),
    /// The topic's durability is now this.
    SetDurability(Durability),
    /// Time passed.
    Tick,
}

/// A client's batch at the leader's door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Append {
    pub ticket: Ticket,
    /// The epoch the client believes in, if it said one.
    pub expected_epoch: Option<LeaderEpoch>,
    /// On a LogAppendTime topic already with that type and time; the base offset is not looked at.
    pub batch: BatchHeader,
    pub acks: Acks,
    /// The fencing token that the client knows, if it said one.
    pub token: Option<FencingToken>,
    /// Where the log must end for the batch to be taken, if that matters to the client.
    pub expected_end: Option<Offset>,
    /// Whether a producer that is not known, or forgotten since, must begin with sequence 0.
    pub strict: bool,
}

/// What a leader is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    pub epoch: LeaderEpoch,
    pub partition_epoch: PartitionEpoch,
    /// All replicas, this one included.
    pub replicas: Vec<NodeId>,
    /// The in-sync ones among them, this one included.
    pub in_sync: Vec<NodeId>,
    /// The effective minimum: at least one, at most the number of replicas.
    pub in_sync_min: usize,
    /// Where the tier ends; `Offset::ZERO` without one.
    pub tier_end: Offset,
}

/// What a follower is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follow {
    pub epoch: LeaderEpoch,
    pub partition_epoch: PartitionEpoch,
    pub leader: Option<NodeId>,
}
