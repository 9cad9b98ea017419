//! `AquiferFenceResponse`: the fencing token that is in force.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// The fencing token that is in force.
    AquiferFenceResponse { versions 0..=0, flexible from 0 }
    {
        throttle_time_ms: i32 [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [..];
        // What the leader compares appends with, empty for none; null where an error says nothing of it.
        token: Option<Text> [..];
    }
}
