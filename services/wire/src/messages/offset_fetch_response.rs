//! `OffsetFetchResponse`: committed offsets by group and partition.

use aquifer_types::Uuid;

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// Committed offsets by group and partition.
    OffsetFetchResponse { versions 1..=10, flexible from 6 }
    {
        throttle_time_ms: i32 [3..] ignorable;
        topics: Vec<OffsetFetchResponseTopic> [..=7];
        error_code: ErrorCode [2..=7] ignorable;
        groups: Vec<OffsetFetchResponseGroup> [8..];
    }

    OffsetFetchResponseTopic {
        name: Text [..];
        partitions: Vec<OffsetFetchResponsePartition> [..];
    }

    OffsetFetchResponsePartition {
        partition_index: i32 [..];
        committed_offset: i64 [..];
        committed_leader_epoch: i32 [5..] ignorable = -1;
        metadata: Option<Text> [..] = Some(Text::EMPTY);
        error_code: ErrorCode [..];
    }

    OffsetFetchResponseGroup {
        group_id: Text [..];
        topics: Vec<OffsetFetchResponseTopics> [..];
        error_code: ErrorCode [..];
    }

    OffsetFetchResponseTopics {
        name: Text [..=9] ignorable;
        topic_id: Uuid [10..] ignorable;
        partitions: Vec<OffsetFetchResponsePartitions> [..];
    }

    OffsetFetchResponsePartitions {
        partition_index: i32 [..];
        committed_offset: i64 [..];
        committed_leader_epoch: i32 [..] = -1;
        metadata: Option<Text> [..] = Some(Text::EMPTY);
        error_code: ErrorCode [..];
    }
}
