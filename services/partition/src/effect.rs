//! `Effect`: what the driver of a core must do, in order.

use aquifer_types::{BatchEpoch, FencingToken, LeaderEpoch, Offset, ProducerEpoch, TimestampMs};

use crate::input::{Durability, Ticket};

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Stamp the batch with these and hand it to the log, under the same lock.
    Append {
        ticket: Ticket,
        base: Offset,
        epoch: BatchEpoch,
    },
    Acknowledge(Acknowledgement),
    Refuse {
        ticket: Ticket,
        refusal: Refusal,
    },
    /// Readers that wait may go on.
    Wake {
        high_watermark: Offset,
    },
    LogStartMoved {
        log_start: Offset,
    },
    /// Sync everything below `upto`, then say `Flushed`.
    Flush {
        upto: Offset,
    },
    /// From here on the topic's durability holds for every record.
    DurabilityHolds(Durability),
}

/// An append is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    pub ticket: Ticket,
    /// Where the batch lies; of a duplicate, where its original lies.
    pub base: Offset,
    pub log_start: Offset,
    /// `TimestampMs::NONE` unless the topic stamps the time.
    pub log_append_time: TimestampMs,
    pub duplicate: bool,
}

/// Why an append is not taken, or its outcome not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this replica does not lead the partition")]
    NotLeader,
    #[error("this replica is offline")]
    Offline,
    #[error("leader epoch {named} is fenced by {current}")]
    FencedEpoch { current: LeaderEpoch, named: LeaderEpoch },
    #[error("leader epoch {named} is newer than {current}")]
    UnknownEpoch { current: LeaderEpoch, named: LeaderEpoch },
    #[error("{in_sync} replicas are in sync, {min} must be")]
    NotEnoughReplicas { in_sync: usize, min: usize },
    #[error("producer epoch {named} is fenced by {current}")]
    FencedProducer { current: ProducerEpoch, named: ProducerEpoch },
    #[error("sequence {named} does not follow, {expected} does")]
    OutOfOrderSequence { expected: i32, named: i32 },
    #[error("the fencing token is not the partition's")]
    AnotherToken { current: Option<FencingToken> },
    #[error("the log ends at {end}, not at {expected}")]
    UnexpectedEnd { expected: Offset, end: Offset },
    #[error("transactions are not supported")]
    Transactional,
    #[error("too many appends wait")]
    TooManyInFlight,
    #[error("offsets are used up")]
    OffsetsUsedUp,
    #[error("write to the log failed")]
    WriteFailed,
}
