//! `OffsetForLeaderEpochResponse`: the end offset of each leader epoch.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// The end offset of each leader epoch.
    OffsetForLeaderEpochResponse { versions 2..=4, flexible from 4 }
    {
        throttle_time_ms: i32 [..];
        topics: Vec<OffsetForLeaderTopicResult> [..];
    }

    OffsetForLeaderTopicResult {
        topic: Text [..];
        partitions: Vec<EpochEndOffset> [..];
    }

    EpochEndOffset {
        error_code: ErrorCode [..];
        partition: i32 [..];
        leader_epoch: i32 [..] = -1;
        end_offset: i64 [..] = -1;
    }
}
