//! `ConsumerGroupDescribeRequest`: server-assigned groups to describe.

use crate::message::message;
use crate::text::Text;

message! {
    /// Server-assigned groups to describe.
    ConsumerGroupDescribeRequest { versions 0..=1, flexible from 0 }
    {
        group_ids: Vec<Text> [..];
        include_authorized_operations: bool [..];
    }
}
