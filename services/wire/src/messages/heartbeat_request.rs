//! `HeartbeatRequest`: a sign of life of a group member.

use crate::message::message;
use crate::text::Text;

message! {
    /// A sign of life of a group member.
    HeartbeatRequest { versions 0..=4, flexible from 4 }
    {
        group_id: Text [..];
        generation_id: i32 [..];
        member_id: Text [..];
        group_instance_id: Option<Text> [3..];
    }
}
