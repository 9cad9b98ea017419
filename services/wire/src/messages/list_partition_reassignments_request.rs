//! `ListPartitionReassignmentsRequest`: partitions whose replicas may be moving.

use crate::message::message;
use crate::text::Text;

message! {
    /// Partitions whose replicas may be moving.
    ListPartitionReassignmentsRequest { versions 0..=0, flexible from 0 }
    {
        timeout_ms: i32 [..] = 60_000;
        topics: Option<Vec<ListPartitionReassignmentsTopics>> [..];
    }

    ListPartitionReassignmentsTopics {
        name: Text [..];
        partition_indexes: Vec<i32> [..];
    }
}
