//! `DeleteTopicsRequest`: topics to delete, by name or id.

use aquifer_types::Uuid;

use crate::message::message;
use crate::text::Text;

message! {
    /// Topics to delete, by name or id.
    DeleteTopicsRequest { versions 1..=6, flexible from 4 }
    {
        topics: Vec<DeleteTopicState> [6..];
        topic_names: Vec<Text> [..=5] ignorable;
        timeout_ms: i32 [..];
    }

    DeleteTopicState {
        name: Option<Text> [..];
        topic_id: Uuid [..];
    }
}
