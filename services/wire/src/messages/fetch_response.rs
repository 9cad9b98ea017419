//! `FetchResponse`: record batches by partition, with the marks of each.

use aquifer_types::Uuid;

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::records::Records;
use crate::text::Text;

message! {
    /// Record batches by partition, with the marks of each.
    FetchResponse { versions 4..=18, flexible from 12 }
    {
        throttle_time_ms: i32 [..];
        error_code: ErrorCode [7..] ignorable;
        session_id: i32 [7..];
        responses: Vec<FetchableTopicResponse> [..];
        node_endpoints: Vec<NodeEndpoint> [16.., tag 0];
    }

    FetchableTopicResponse {
        topic: Text [..=12] ignorable;
        topic_id: Uuid [13..] ignorable;
        partitions: Vec<PartitionData> [..];
    }

    PartitionData {
        partition_index: i32 [..];
        error_code: ErrorCode [..];
        high_watermark: i64 [..];
        last_stable_offset: i64 [..] = -1;
        log_start_offset: i64 [5..] ignorable = -1;
        diverging_epoch: EpochEndOffset [12.., tag 0];
        current_leader: LeaderIdAndEpoch [12.., tag 1];
        snapshot_id: SnapshotId [12.., tag 2];
        aborted_transactions: Option<Vec<AbortedTransaction>> [..] = Some(Vec::new());
        preferred_read_replica: i32 [11..] = -1;
        records: Option<Records> [..];
    }

    EpochEndOffset {
        epoch: i32 [..] = -1;
        end_offset: i64 [..] = -1;
    }

    LeaderIdAndEpoch {
        leader_id: i32 [..] = -1;
        leader_epoch: i32 [..] = -1;
    }

    SnapshotId {
        end_offset: i64 [..] = -1;
        epoch: i32 [..] = -1;
    }

    AbortedTransaction {
        producer_id: i64 [..];
        first_offset: i64 [..];
    }

    NodeEndpoint {
        node_id: i32 [..];
        host: Text [..];
        port: i32 [..];
        rack: Option<Text> [..];
    }
}
