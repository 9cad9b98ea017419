//! `DescribeGroupsRequest`: groups to describe.

use crate::message::message;
use crate::text::Text;

message! {
    /// Groups to describe.
    DescribeGroupsRequest { versions 0..=6, flexible from 5 }
    {
        groups: Vec<Text> [..];
        include_authorized_operations: bool [3..];
    }
}
