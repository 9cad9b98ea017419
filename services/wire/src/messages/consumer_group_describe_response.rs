//! `ConsumerGroupDescribeResponse`: state, members and assignments of each group.

use aquifer_types::Uuid;

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// State, members and assignments of each group.
    ConsumerGroupDescribeResponse { versions 0..=1, flexible from 0 }
    {
        throttle_time_ms: i32 [..];
        groups: Vec<DescribedGroup> [..];
    }

    DescribedGroup {
        error_code: ErrorCode [..];
        error_message: Option<Text> [..];
        group_id: Text [..];
        group_state: Text [..];
        group_epoch: i32 [..];
        assignment_epoch: i32 [..];
        assignor_name: Text [..];
        members: Vec<Member> [..];
        authorized_operations: i32 [..] = i32::MIN;
    }

    Member {
        member_id: Text [..];
        instance_id: Option<Text> [..];
        rack_id: Option<Text> [..];
        member_epoch: i32 [..];
        client_id: Text [..];
        client_host: Text [..];
        subscribed_topic_names: Vec<Text> [..];
        subscribed_topic_regex: Option<Text> [..];
        assignment: Assignment [..];
        target_assignment: Assignment [..];
        member_type: i8 [1..] ignorable = -1;
    }

    TopicPartitions {
        topic_id: Uuid [..];
        topic_name: Text [..];
        partitions: Vec<i32> [..];
    }

    Assignment {
        topic_partitions: Vec<TopicPartitions> [..];
    }
}
