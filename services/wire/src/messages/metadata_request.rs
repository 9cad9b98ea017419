//! `MetadataRequest`: the topics to describe, or all of them.

use aquifer_types::Uuid;

use crate::message::message;
use crate::text::Text;

message! {
    /// The topics to describe, or all of them.
    MetadataRequest { versions 0..=13, flexible from 9 }
    {
        topics: Option<Vec<MetadataRequestTopic>> [.., null 1..] = Some(Vec::new());
        allow_auto_topic_creation: bool [4..] = true;
        include_cluster_authorized_operations: bool [8..=10];
        include_topic_authorized_operations: bool [8..];
    }

    MetadataRequestTopic {
        topic_id: Uuid [10..] ignorable;
        name: Option<Text> [.., null 10..] = Some(Text::EMPTY);
    }
}
