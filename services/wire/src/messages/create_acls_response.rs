//! `CreateAclsResponse`: what became of each access rule to make.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// What became of each access rule to make.
    CreateAclsResponse { versions 1..=3, flexible from 2 }
    {
        throttle_time_ms: i32 [..];
        results: Vec<AclCreationResult> [..];
    }

    AclCreationResult {
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
    }
}
