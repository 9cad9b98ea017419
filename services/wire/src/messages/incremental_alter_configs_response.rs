//! `IncrementalAlterConfigsResponse`: what became of each changed resource.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// What became of each changed resource.
    IncrementalAlterConfigsResponse { versions 0..=1, flexible from 1 }
    {
        throttle_time_ms: i32 [..];
        responses: Vec<AlterConfigsResourceResponse> [..];
    }

    AlterConfigsResourceResponse {
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
        resource_type: i8 [..];
        resource_name: Text [..];
    }
}
