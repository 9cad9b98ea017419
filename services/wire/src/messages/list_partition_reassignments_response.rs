//! `ListPartitionReassignmentsResponse`: partitions whose replicas are moving.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// Partitions whose replicas are moving.
    ListPartitionReassignmentsResponse { versions 0..=0, flexible from 0 }
    {
        throttle_time_ms: i32 [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
        topics: Vec<OngoingTopicReassignment> [..];
    }

    OngoingTopicReassignment {
        name: Text [..];
        partitions: Vec<OngoingPartitionReassignment> [..];
    }

    OngoingPartitionReassignment {
        partition_index: i32 [..];
        replicas: Vec<i32> [..];
        adding_replicas: Vec<i32> [..];
        removing_replicas: Vec<i32> [..];
    }
}
