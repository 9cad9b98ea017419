//! `DescribeUserScramCredentialsResponse`: SCRAM mechanisms by user.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// SCRAM mechanisms by user.
    DescribeUserScramCredentialsResponse { versions 0..=0, flexible from 0 }
    {
        throttle_time_ms: i32 [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
        results: Vec<DescribeUserScramCredentialsResult> [..];
    }

    DescribeUserScramCredentialsResult {
        user: Text [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
        credential_infos: Vec<CredentialInfo> [..];
    }

    CredentialInfo {
        mechanism: i8 [..];
        iterations: i32 [..];
    }
}
