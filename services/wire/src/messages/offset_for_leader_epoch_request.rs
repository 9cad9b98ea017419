//! `OffsetForLeaderEpochRequest`: leader epochs whose ends are asked for.

use crate::message::message;
use crate::text::Text;

message! {
    /// Leader epochs whose ends are asked for.
    OffsetForLeaderEpochRequest { versions 2..=4, flexible from 4 }
    {
        replica_id: i32 [3..] ignorable = -2;
        topics: Vec<OffsetForLeaderTopic> [..];
    }

    OffsetForLeaderTopic {
        topic: Text [..];
        partitions: Vec<OffsetForLeaderPartition> [..];
    }

    OffsetForLeaderPartition {
        partition: i32 [..];
        current_leader_epoch: i32 [..] = -1;
        leader_epoch: i32 [..];
    }
}
