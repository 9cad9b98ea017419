//! `SyncGroupResponse`: the assignment of one member.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// The assignment of one member.
    SyncGroupResponse { versions 0..=5, flexible from 4 }
    {
        throttle_time_ms: i32 [1..] ignorable;
        error_code: ErrorCode [..];
        protocol_type: Option<Text> [5..] ignorable;
        protocol_name: Option<Text> [5..] ignorable;
        assignment: Bytes [..];
    }
}
