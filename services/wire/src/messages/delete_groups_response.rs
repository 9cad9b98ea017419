//! `DeleteGroupsResponse`: what became of each group to delete.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// What became of each group to delete.
    DeleteGroupsResponse { versions 0..=2, flexible from 2 }
    {
        throttle_time_ms: i32 [..];
        results: Vec<DeletableGroupResult> [..];
    }

    DeletableGroupResult {
        group_id: Text [..];
        error_code: ErrorCode [..];
    }
}
