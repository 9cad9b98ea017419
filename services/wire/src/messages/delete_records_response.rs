//! `DeleteRecordsResponse`: the new log start of each partition.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// The new log start of each partition.
    DeleteRecordsResponse { versions 0..=2, flexible from 2 }
    {
        throttle_time_ms: i32 [..];
        topics: Vec<DeleteRecordsTopicResult> [..];
    }

    DeleteRecordsTopicResult {
        name: Text [..];
        partitions: Vec<DeleteRecordsPartitionResult> [..];
    }

    DeleteRecordsPartitionResult {
        partition_index: i32 [..];
        low_watermark: i64 [..];
        error_code: ErrorCode [..];
    }
}
