//! `JoinGroupRequest`: a member that asks to join a group.

use bytes::Bytes;

use crate::message::message;
use crate::text::Text;

message! {
    /// A member that asks to join a group.
    JoinGroupRequest { versions 0..=9, flexible from 6 }
    {
        group_id: Text [..];
        session_timeout_ms: i32 [..];
        rebalance_timeout_ms: i32 [1..] ignorable = -1;
        member_id: Text [..];
        group_instance_id: Option<Text> [5..];
        protocol_type: Text [..];
        protocols: Vec<JoinGroupRequestProtocol> [..];
        reason: Option<Text> [8..] ignorable;
    }

    JoinGroupRequestProtocol {
        name: Text [..];
        metadata: Bytes [..];
    }
}
