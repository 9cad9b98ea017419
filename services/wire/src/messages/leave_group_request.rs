//! `LeaveGroupRequest`: members that leave a group.

use crate::message::message;
use crate::text::Text;

message! {
    /// Members that leave a group.
    LeaveGroupRequest { versions 0..=5, flexible from 4 }
    {
        group_id: Text [..];
        member_id: Text [..=2];
        members: Vec<MemberIdentity> [3..];
    }

    MemberIdentity {
        member_id: Text [..];
        group_instance_id: Option<Text> [..];
        reason: Option<Text> [5..] ignorable;
    }
}
