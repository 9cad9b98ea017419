//! `ConsumerGroupHeartbeatRequest`: state of a member of a server-assigned group.

use aquifer_types::Uuid;

use crate::message::message;
use crate::text::Text;

message! {
    /// State of a member of a server-assigned group.
    ConsumerGroupHeartbeatRequest { versions 0..=1, flexible from 0 }
    {
        group_id: Text [..];
        member_id: Text [..];
        member_epoch: i32 [..];
        instance_id: Option<Text> [..];
        rack_id: Option<Text> [..];
        rebalance_timeout_ms: i32 [..] = -1;
        subscribed_topic_names: Option<Vec<Text>> [..];
        subscribed_topic_regex: Option<Text> [1..];
        server_assignor: Option<Text> [..];
        topic_partitions: Option<Vec<TopicPartitions>> [..];
        session_timeout_ms: i32 [.., tag 16753] ignorable = -1;
    }

    TopicPartitions {
        topic_id: Uuid [..];
        partitions: Vec<i32> [..];
    }
}
