//! `LeaveGroupResponse`: what became of each leaving member.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// What became of each leaving member.
    LeaveGroupResponse { versions 0..=5, flexible from 4 }
    {
        throttle_time_ms: i32 [1..] ignorable;
        error_code: ErrorCode [..];
        members: Vec<MemberResponse> [3..];
    }

    MemberResponse {
        member_id: Text [..];
        group_instance_id: Option<Text> [..] = Some(Text::EMPTY);
        error_code: ErrorCode [..];
    }
}
