//! `OffsetCommitRequest`: offsets to commit for a group.

use aquifer_types::Uuid;

use crate::message::message;
use crate::text::Text;

message! {
    /// Offsets to commit for a group.
    OffsetCommitRequest { versions 2..=10, flexible from 8 }
    {
        group_id: Text [..];
        generation_id_or_member_epoch: i32 [..] = -1;
        member_id: Text [..];
        group_instance_id: Option<Text> [7..];
        retention_time_ms: i64 [..=4] ignorable = -1;
        topics: Vec<OffsetCommitRequestTopic> [..];
    }

    OffsetCommitRequestTopic {
        name: Text [..=9] ignorable;
        topic_id: Uuid [10..] ignorable;
        partitions: Vec<OffsetCommitRequestPartition> [..];
    }

    OffsetCommitRequestPartition {
        partition_index: i32 [..];
        committed_offset: i64 [..];
        committed_leader_epoch: i32 [6..] ignorable = -1;
        committed_metadata: Option<Text> [..] = Some(Text::EMPTY);
    }
}
