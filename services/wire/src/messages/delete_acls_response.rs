//! `DeleteAclsResponse`: the access rules that each filter deleted.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// The access rules that each filter deleted.
    DeleteAclsResponse { versions 1..=3, flexible from 2 }
    {
        throttle_time_ms: i32 [..];
        filter_results: Vec<DeleteAclsFilterResult> [..];
    }

    DeleteAclsFilterResult {
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
        matching_acls: Vec<DeleteAclsMatchingAcl> [..];
    }

    DeleteAclsMatchingAcl {
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
        resource_type: i8 [..];
        resource_name: Text [..];
        pattern_type: i8 [..] = 3;
        principal: Text [..];
        host: Text [..];
        operation: i8 [..];
        permission_type: i8 [..];
    }
}
