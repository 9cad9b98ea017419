//! `DescribeQuorumResponse`: leader, voters and observers of the quorum.

use aquifer_types::Uuid;

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// Leader, voters and observers of the quorum.
    DescribeQuorumResponse { versions 0..=2, flexible from 0 }
    {
        error_code: ErrorCode [..];
        error_message: Option<Text> [2..] ignorable = Some(Text::EMPTY);
        topics: Vec<TopicData> [..];
        nodes: Vec<Node> [2..];
    }

    TopicData {
        topic_name: Text [..];
        partitions: Vec<PartitionData> [..];
    }

    PartitionData {
        partition_index: i32 [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [2..] ignorable = Some(Text::EMPTY);
        leader_id: i32 [..];
        leader_epoch: i32 [..];
        high_watermark: i64 [..];
        current_voters: Vec<ReplicaState> [..];
        observers: Vec<ReplicaState> [..];
    }

    Node {
        node_id: i32 [..];
        listeners: Vec<Listener> [..];
    }

    Listener {
        name: Text [..];
        host: Text [..];
        port: u16 [..];
    }

    ReplicaState {
        replica_id: i32 [..];
        replica_directory_id: Uuid [2..];
        log_end_offset: i64 [..];
        last_fetch_timestamp: i64 [1..] ignorable = -1;
        last_caught_up_timestamp: i64 [1..] ignorable = -1;
    }
}
