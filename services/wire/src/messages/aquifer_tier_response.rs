//! `AquiferTierResponse`: what is on local disk, what in the tier, and what in both.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// What is on local disk, what in the tier, and what in both.
    AquiferTierResponse { versions 0..=0, flexible from 0 }
    {
        throttle_time_ms: i32 [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [..];
        url: Option<Text> [..];
        topics: Vec<TieredTopic> [..];
    }

    TieredTopic {
        name: Text [..];
        error_code: ErrorCode [..];
        tiered: bool [..];
        partitions: Vec<TieredPartition> [..];
    }

    TieredPartition {
        partition_index: i32 [..];
        error_code: ErrorCode [..];
        log_start: i64 [..];
        local_start: i64 [..];
        tier_end: i64 [..];
        high_watermark: i64 [..];
        local_bytes: i64 [..];
        tier_bytes: i64 [..];
        objects: i32 [..];
    }
}
