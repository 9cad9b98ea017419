//! `OffsetDeleteResponse`: what became of each deleted offset.

use crate::error_code::ErrorCode;
use crate::message::{NEVER, message};
use crate::text::Text;

message! {
    /// What became of each deleted offset.
    OffsetDeleteResponse { versions 0..=0, flexible from NEVER }
    {
        error_code: ErrorCode [..];
        throttle_time_ms: i32 [..];
        topics: Vec<OffsetDeleteResponseTopic> [..];
    }

    OffsetDeleteResponseTopic {
        name: Text [..];
        partitions: Vec<OffsetDeleteResponsePartition> [..];
    }

    OffsetDeleteResponsePartition {
        partition_index: i32 [..];
        error_code: ErrorCode [..];
    }
}
