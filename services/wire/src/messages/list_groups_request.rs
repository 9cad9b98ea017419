//! `ListGroupsRequest`: filters on the groups to list.

use crate::message::message;
use crate::text::Text;

message! {
    /// Filters on the groups to list.
    ListGroupsRequest { versions 0..=5, flexible from 3 }
    {
        states_filter: Vec<Text> [4..];
        types_filter: Vec<Text> [5..];
    }
}
