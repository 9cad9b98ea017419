//! `OffsetFetchRequest`: groups and partitions whose committed offsets are asked for.

use aquifer_types::Uuid;

use crate::message::message;
use crate::text::Text;

message! {
    /// Groups and partitions whose committed offsets are asked for.
    OffsetFetchRequest { versions 1..=10, flexible from 6 }
    {
        group_id: Text [..=7];
        topics: Option<Vec<OffsetFetchRequestTopic>> [..=7, null 2..] = Some(Vec::new());
        groups: Vec<OffsetFetchRequestGroup> [8..];
        require_stable: bool [7..];
    }

    OffsetFetchRequestTopic {
        name: Text [..];
        partition_indexes: Vec<i32> [..];
    }

    OffsetFetchRequestGroup {
        group_id: Text [..];
        member_id: Option<Text> [9..] ignorable;
        member_epoch: i32 [9..] ignorable = -1;
        topics: Option<Vec<OffsetFetchRequestTopics>> [..] = Some(Vec::new());
    }

    OffsetFetchRequestTopics {
        name: Text [..=9] ignorable;
        topic_id: Uuid [10..] ignorable;
        partition_indexes: Vec<i32> [..];
    }
}
