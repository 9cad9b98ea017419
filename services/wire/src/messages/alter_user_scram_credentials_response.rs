//! `AlterUserScramCredentialsResponse`: what became of each user.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// What became of each user.
    AlterUserScramCredentialsResponse { versions 0..=0, flexible from 0 }
    {
        throttle_time_ms: i32 [..];
        results: Vec<AlterUserScramCredentialsResult> [..];
    }

    AlterUserScramCredentialsResult {
        user: Text [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
    }
}
