//! `DescribeTopicPartitionsResponse`: one page of topics and their partitions.

use aquifer_types::Uuid;

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// One page of topics and their partitions.
    DescribeTopicPartitionsResponse { versions 0..=0, flexible from 0 }
    {
        throttle_time_ms: i32 [..];
        topics: Vec<DescribeTopicPartitionsResponseTopic> [..];
        next_cursor: Option<Cursor> [..];
    }

    DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode [..];
        name: Option<Text> [..] = Some(Text::EMPTY);
        topic_id: Uuid [..];
        is_internal: bool [..];
        partitions: Vec<DescribeTopicPartitionsResponsePartition> [..];
        topic_authorized_operations: i32 [..] = i32::MIN;
    }

    DescribeTopicPartitionsResponsePartition {
        error_code: ErrorCode [..];
        partition_index: i32 [..];
        leader_id: i32 [..];
        leader_epoch: i32 [..] = -1;
        replica_nodes: Vec<i32> [..];
        isr_nodes: Vec<i32> [..];
        eligible_leader_replicas: Option<Vec<i32>> [..];
        last_known_elr: Option<Vec<i32>> [..];
        offline_replicas: Vec<i32> [..];
    }

    Cursor {
        topic_name: Text [..];
        partition_index: i32 [..];
    }
}
