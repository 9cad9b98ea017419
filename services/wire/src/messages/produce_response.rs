//! `ProduceResponse`: what became of each produced partition.

use aquifer_types::Uuid;

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// What became of each produced partition.
    ProduceResponse { versions 3..=13, flexible from 9 }
    {
        responses: Vec<TopicProduceResponse> [..];
        throttle_time_ms: i32 [..];
        node_endpoints: Vec<NodeEndpoint> [10.., tag 0];
    }

    TopicProduceResponse {
        name: Text [..=12] ignorable;
        topic_id: Uuid [13..] ignorable;
        partition_responses: Vec<PartitionProduceResponse> [..];
    }

    PartitionProduceResponse {
        index: i32 [..];
        error_code: ErrorCode [..];
        base_offset: i64 [..];
        log_append_time_ms: i64 [..] = -1;
        log_start_offset: i64 [5..] ignorable = -1;
        record_errors: Vec<BatchIndexAndErrorMessage> [8..] ignorable;
        error_message: Option<Text> [8..] ignorable;
        current_leader: LeaderIdAndEpoch [10.., tag 0];
    }

    BatchIndexAndErrorMessage {
        batch_index: i32 [..];
        batch_index_error_message: Option<Text> [..];
    }

    LeaderIdAndEpoch {
        leader_id: i32 [..] = -1;
        leader_epoch: i32 [..] = -1;
    }

    NodeEndpoint {
        node_id: i32 [..];
        host: Text [..];
        port: i32 [..];
        rack: Option<Text> [..];
    }
}
