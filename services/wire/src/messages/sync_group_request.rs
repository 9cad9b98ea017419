//! `SyncGroupRequest`: a member that asks for its assignment; the leader brings all of them.

use bytes::Bytes;

use crate::message::message;
use crate::text::Text;

message! {
    /// A member that asks for its assignment; the leader brings all of them.
    SyncGroupRequest { versions 0..=5, flexible from 4 }
    {
        group_id: Text [..];
        generation_id: i32 [..];
        member_id: Text [..];
        group_instance_id: Option<Text> [3..];
        protocol_type: Option<Text> [5..] ignorable;
        protocol_name: Option<Text> [5..] ignorable;
        assignments: Vec<SyncGroupRequestAssignment> [..];
    }

    SyncGroupRequestAssignment {
        member_id: Text [..];
        assignment: Bytes [..];
    }
}
