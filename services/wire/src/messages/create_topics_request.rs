//! `CreateTopicsRequest`: topics to create, with their configs.

use crate::message::message;
use crate::text::Text;

message! {
    /// Topics to create, with their configs.
    CreateTopicsRequest { versions 2..=7, flexible from 5 }
    {
        topics: Vec<CreatableTopic> [..];
        timeout_ms: i32 [..] = 60_000;
        validate_only: bool [..];
    }

    CreatableTopic {
        name: Text [..];
        num_partitions: i32 [..];
        replication_factor: i16 [..];
        assignments: Vec<CreatableReplicaAssignment> [..];
        configs: Vec<CreatableTopicConfig> [..];
    }

    CreatableReplicaAssignment {
        partition_index: i32 [..];
        broker_ids: Vec<i32> [..];
    }

    CreatableTopicConfig {
        name: Text [..];
        value: Option<Text> [..] = Some(Text::EMPTY);
    }
}
