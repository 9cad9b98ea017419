//! `FindCoordinatorResponse`: the coordinator of each key.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// The coordinator of each key.
    FindCoordinatorResponse { versions 0..=6, flexible from 3 }
    {
        throttle_time_ms: i32 [1..] ignorable;
        error_code: ErrorCode [..=3];
        error_message: Option<Text> [1..=3] ignorable = Some(Text::EMPTY);
        node_id: i32 [..=3];
        host: Text [..=3];
        port: i32 [..=3];
        coordinators: Vec<Coordinator> [4..];
    }

    Coordinator {
        key: Text [..];
        node_id: i32 [..];
        host: Text [..];
        port: i32 [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
    }
}
