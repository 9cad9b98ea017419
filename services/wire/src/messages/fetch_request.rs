//! `FetchRequest`: the partitions to read from, or the changes to a fetch session.

use aquifer_types::Uuid;

use crate::message::message;
use crate::text::Text;

message! {
    /// The partitions to read from, or the changes to a fetch session.
    FetchRequest { versions 4..=18, flexible from 12 }
    {
        cluster_id: Option<Text> [12.., tag 0] ignorable;
        replica_id: i32 [..=14] = -1;
        replica_state: ReplicaState [15.., tag 1];
        max_wait_ms: i32 [..];
        min_bytes: i32 [..];
        max_bytes: i32 [..] = i32::MAX;
        isolation_level: i8 [..];
        session_id: i32 [7..] ignorable;
        session_epoch: i32 [7..] ignorable = -1;
        topics: Vec<FetchTopic> [..];
        forgotten_topics_data: Vec<ForgottenTopic> [7..];
        rack_id: Text [11..] ignorable;
    }

    ReplicaState {
        replica_id: i32 [..] = -1;
        replica_epoch: i64 [..] = -1;
    }

    FetchTopic {
        topic: Text [..=12] ignorable;
        topic_id: Uuid [13..] ignorable;
        partitions: Vec<FetchPartition> [..];
    }

    FetchPartition {
        partition: i32 [..];
        current_leader_epoch: i32 [9..] ignorable = -1;
        fetch_offset: i64 [..];
        last_fetched_epoch: i32 [12..] = -1;
        log_start_offset: i64 [5..] ignorable = -1;
        partition_max_bytes: i32 [..];
        replica_directory_id: Uuid [17.., tag 0] ignorable;
        high_watermark: i64 [18.., tag 1] ignorable = i64::MAX;
    }

    ForgottenTopic {
        topic: Text [..=12] ignorable;
        topic_id: Uuid [13..] ignorable;
        partitions: Vec<i32> [..];
    }
}
