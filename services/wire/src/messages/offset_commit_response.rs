//! `OffsetCommitResponse`: what became of each committed partition.

use aquifer_types::Uuid;

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// What became of each committed partition.
    OffsetCommitResponse { versions 2..=10, flexible from 8 }
    {
        throttle_time_ms: i32 [3..] ignorable;
        topics: Vec<OffsetCommitResponseTopic> [..];
    }

    OffsetCommitResponseTopic {
        name: Text [..=9] ignorable;
        topic_id: Uuid [10..] ignorable;
        partitions: Vec<OffsetCommitResponsePartition> [..];
    }

    OffsetCommitResponsePartition {
        partition_index: i32 [..];
        error_code: ErrorCode [..];
    }
}
