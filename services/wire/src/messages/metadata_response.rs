//! `MetadataResponse`: brokers, topics, partitions and their leaders.

use aquifer_types::Uuid;

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// Brokers, topics, partitions and their leaders.
    MetadataResponse { versions 0..=13, flexible from 9 }
    {
        throttle_time_ms: i32 [3..] ignorable;
        brokers: Vec<MetadataResponseBroker> [..];
        cluster_id: Option<Text> [2..] ignorable;
        controller_id: i32 [1..] ignorable = -1;
        topics: Vec<MetadataResponseTopic> [..];
        cluster_authorized_operations: i32 [8..=10] = i32::MIN;
        error_code: ErrorCode [13..] ignorable;
    }

    MetadataResponseBroker {
        node_id: i32 [..];
        host: Text [..];
        port: i32 [..];
        rack: Option<Text> [1..] ignorable;
    }

    MetadataResponseTopic {
        error_code: ErrorCode [..];
        name: Option<Text> [.., null 12..] = Some(Text::EMPTY);
        topic_id: Uuid [10..] ignorable;
        is_internal: bool [1..] ignorable;
        partitions: Vec<MetadataResponsePartition> [..];
        topic_authorized_operations: i32 [8..] = i32::MIN;
    }

    MetadataResponsePartition {
        error_code: ErrorCode [..];
        partition_index: i32 [..];
        leader_id: i32 [..];
        leader_epoch: i32 [7..] ignorable = -1;
        replica_nodes: Vec<i32> [..];
        isr_nodes: Vec<i32> [..];
        offline_replicas: Vec<i32> [5..] ignorable;
    }
}
