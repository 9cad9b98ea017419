//! `AlterConfigsResponse`: what became of each replaced resource.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// What became of each replaced resource.
    AlterConfigsResponse { versions 0..=2, flexible from 2 }
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
