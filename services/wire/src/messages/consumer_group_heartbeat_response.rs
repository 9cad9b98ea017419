//! `ConsumerGroupHeartbeatResponse`: epoch and assignment of the member.

use aquifer_types::Uuid;

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// Epoch and assignment of the member.
    ConsumerGroupHeartbeatResponse { versions 0..=1, flexible from 0 }
    {
        throttle_time_ms: i32 [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [..];
        member_id: Option<Text> [..];
        member_epoch: i32 [..];
        heartbeat_interval_ms: i32 [..];
        assignment: Option<Assignment> [..];
        session_timeout_ms: i32 [.., tag 16753] ignorable = -1;
    }

    Assignment {
        topic_partitions: Vec<TopicPartitions> [..];
    }

    TopicPartitions {
        topic_id: Uuid [..];
        partitions: Vec<i32> [..];
    }
}
