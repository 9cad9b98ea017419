//! `DeleteTopicsResponse`: what became of each topic to delete.

use aquifer_types::Uuid;

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// What became of each topic to delete.
    DeleteTopicsResponse { versions 1..=6, flexible from 4 }
    {
        throttle_time_ms: i32 [..];
        responses: Vec<DeletableTopicResult> [..];
    }

    DeletableTopicResult {
        name: Option<Text> [.., null 6..] = Some(Text::EMPTY);
        topic_id: Uuid [6..] ignorable;
        error_code: ErrorCode [..];
        error_message: Option<Text> [5..] ignorable;
    }
}
