//! `JoinGroupResponse`: the generation joined, and for its leader the members.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// The generation joined, and for its leader the members.
    JoinGroupResponse { versions 0..=9, flexible from 6 }
    {
        throttle_time_ms: i32 [2..] ignorable;
        error_code: ErrorCode [..];
        generation_id: i32 [..] = -1;
        protocol_type: Option<Text> [7..] ignorable;
        protocol_name: Option<Text> [.., null 7..] = Some(Text::EMPTY);
        leader: Text [..];
        skip_assignment: bool [9..];
        member_id: Text [..];
        members: Vec<JoinGroupResponseMember> [..];
    }

    JoinGroupResponseMember {
        member_id: Text [..];
        group_instance_id: Option<Text> [5..] ignorable;
        metadata: Bytes [..];
    }
}
