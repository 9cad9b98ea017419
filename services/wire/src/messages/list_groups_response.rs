//! `ListGroupsResponse`: the groups that a broker coordinates.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// The groups that a broker coordinates.
    ListGroupsResponse { versions 0..=5, flexible from 3 }
    {
        throttle_time_ms: i32 [1..] ignorable;
        error_code: ErrorCode [..];
        groups: Vec<ListedGroup> [..];
    }

    ListedGroup {
        group_id: Text [..];
        protocol_type: Text [..];
        group_state: Text [4..] ignorable;
        group_type: Text [5..] ignorable;
    }
}
