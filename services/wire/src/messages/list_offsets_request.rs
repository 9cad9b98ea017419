//! `ListOffsetsRequest`: partitions whose offsets are asked for, by timestamp.

use crate::message::message;
use crate::text::Text;

message! {
    /// Partitions whose offsets are asked for, by timestamp.
    ListOffsetsRequest { versions 1..=11, flexible from 6 }
    {
        replica_id: i32 [..];
        isolation_level: i8 [2..];
        topics: Vec<ListOffsetsTopic> [..];
        timeout_ms: i32 [10..] ignorable;
    }

    ListOffsetsTopic {
        name: Text [..];
        partitions: Vec<ListOffsetsPartition> [..];
    }

    ListOffsetsPartition {
        partition_index: i32 [..];
        current_leader_epoch: i32 [4..] ignorable = -1;
        timestamp: i64 [..];
    }
}
