//! `HeartbeatResponse`: whether the member is still in its generation.

use crate::error_code::ErrorCode;
use crate::message::message;

message! {
    /// Whether the member is still in its generation.
    HeartbeatResponse { versions 0..=4, flexible from 4 }
    {
        throttle_time_ms: i32 [1..] ignorable;
        error_code: ErrorCode [..];
    }
}
