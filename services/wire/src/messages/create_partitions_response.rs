//! `CreatePartitionsResponse`: what became of each topic to be grown.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// What became of each topic to be grown.
    CreatePartitionsResponse { versions 0..=3, flexible from 2 }
    {
        throttle_time_ms: i32 [..];
        results: Vec<CreatePartitionsTopicResult> [..];
    }

    CreatePartitionsTopicResult {
        name: Text [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [..];
    }
}
