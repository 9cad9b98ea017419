//! Consumer groups as a state machine over one partition of `__consumer_offsets`: inputs in, records and answers out. Pure.
//!
//! The seam, for whoever drives it:
//! - [`Loading`] takes the partition's records in, from the log's start, and
//!   [`Shard::lead`] makes it a shard that answers. Ending the lead drops the shard, [`Shard::end`] names the requests to
//!   fail, and the next lead begins with a new `Loading`: nothing is ever taken back.
//! - [`Shard::handle`] takes the time, the cluster's topics and one input. The records of the [`Step`] are appended as one
//!   batch, at `Step::base`, before the next input; if that fails or the batch lies elsewhere, the shard is dropped.
//! - Answers in `Step::replies` are sent. The others wait inside until [`Shard::commit`] hears that the high watermark has
//!   passed the records that they rest on; so no answer tells of what could still be lost, and every request is answered
//!   exactly once.
//! - [`Shard::next_deadline`] says when [`Shard::tick`] is due; its step is treated like that of an input. Timers live in
//!   memory alone: a new shard gives everyone the whole of their time.
//!
//! - `Step::patterns` are resolved by the caller, and told of with `Input::PatternResolved`. The caller has checked that a
//!   pattern compiles before it hands the heartbeat in.
//! - `Input::TopicsChanged` follows changes of the metadata, and `Topics::group` tells what is configured for one group.
//! - A load may begin at a checkpoint: [`Loading::checkpoint`] of a `Loading` that took in committed records only, kept with
//!   the log's name, and [`Loading::restore`].
//!
//! A group is of one type and may have members of both protocols: a classic group of consumers becomes a consumer group
//! when the first member of that protocol joins, its classic members are led on one by one (`consumer/guest.rs`), and it
//! is classic again once only they are left. An empty group takes members of either protocol. Offsets stay.
//!
//! Ids are drawn by the caller and come in with the requests. What is stored changes by taking in the very records that
//! are written, so that a shard that restarts is the shard that was.

#![forbid(unsafe_code)]

mod answer;
mod assignor;
mod checkpoint;
mod classic;
mod consumer;
mod embedded;
mod group;
mod input;
mod loading;
mod names;
mod offsets;
mod record;
mod request;
mod settings;
mod shard;
mod sweep;
mod turn;

pub use answer::{
    Answer, ByPartition, ConsumerDescribed, ConsumerMember, Described, DescribedMember, FetchedOffset,
    HeartbeatAnswer, Joined, JoinedMember, Left, Listed, Refusal, Reply, Resolve, Step, Synced,
};
pub use assignor::{Assignor, Candidate};
pub use checkpoint::BadCheckpoint;
pub use input::{
    Commit, CommitPartition, ConsumerHeartbeat, FetchOffsets, Heartbeat, Input, Join, Leaver, ListFilter,
    Now, Request, Sync, Ticket, Topics,
};
pub use loading::Loading;
pub use names::{GroupId, InstanceId, MemberId};
pub use record::{
    ClassicMemberValue, ClassicMetadata, ClassicValue, ConsumerGroupValue, CurrentValue, Decoded, Epochs,
    GroupRecord, Malformed, MemberState, MemberValue, OffsetValue, Partitions, PatternValue, TargetValue,
};
pub use settings::{ConsumerSettings, GroupConfig, Limits, Migration, Settings};
pub use shard::Shard;
