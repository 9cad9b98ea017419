//! `DeleteGroupsRequest`: groups to delete.

use crate::message::message;
use crate::text::Text;

message! {
    /// Groups to delete.
    DeleteGroupsRequest { versions 0..=2, flexible from 2 }
    {
        groups_names: Vec<Text> [..];
    }
}
