//! `DescribeGroupsResponse`: state, protocol and members of each group.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// State, protocol and members of each group.
    DescribeGroupsResponse { versions 0..=6, flexible from 5 }
    {
        throttle_time_ms: i32 [1..] ignorable;
        groups: Vec<DescribedGroup> [..];
    }

    DescribedGroup {
        error_code: ErrorCode [..];
        error_message: Option<Text> [6..];
        group_id: Text [..];
        group_state: Text [..];
        protocol_type: Text [..];
        protocol_data: Text [..];
        members: Vec<DescribedGroupMember> [..];
        authorized_operations: i32 [3..] = i32::MIN;
    }

    DescribedGroupMember {
        member_id: Text [..];
        group_instance_id: Option<Text> [4..] ignorable;
        client_id: Text [..];
        client_host: Text [..];
        member_metadata: Bytes [..];
        member_assignment: Bytes [..];
    }
}
