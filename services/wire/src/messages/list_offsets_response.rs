//! `ListOffsetsResponse`: the offset found for each timestamp.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// The offset found for each timestamp.
    ListOffsetsResponse { versions 1..=11, flexible from 6 }
    {
        throttle_time_ms: i32 [2..] ignorable;
        topics: Vec<ListOffsetsTopicResponse> [..];
    }

    ListOffsetsTopicResponse {
        name: Text [..];
        partitions: Vec<ListOffsetsPartitionResponse> [..];
    }

    ListOffsetsPartitionResponse {
        partition_index: i32 [..];
        error_code: ErrorCode [..];
        timestamp: i64 [..] = -1;
        offset: i64 [..] = -1;
        leader_epoch: i32 [4..] = -1;
    }
}
