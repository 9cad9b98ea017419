//! `DescribeLogDirsResponse`: log directories, their volumes and replicas.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// Log directories, their volumes and replicas.
    DescribeLogDirsResponse { versions 1..=5, flexible from 2 }
    {
        throttle_time_ms: i32 [..];
        error_code: ErrorCode [3..] ignorable;
        results: Vec<DescribeLogDirsResult> [..];
    }

    DescribeLogDirsResult {
        error_code: ErrorCode [..];
        log_dir: Text [..];
        topics: Vec<DescribeLogDirsTopic> [..];
        total_bytes: i64 [4..] ignorable = -1;
        usable_bytes: i64 [4..] ignorable = -1;
        is_cordoned: bool [5..] ignorable;
    }

    DescribeLogDirsTopic {
        name: Text [..];
        partitions: Vec<DescribeLogDirsPartition> [..];
    }

    DescribeLogDirsPartition {
        partition_index: i32 [..];
        partition_size: i64 [..];
        offset_lag: i64 [..];
        is_future_key: bool [..];
    }
}
