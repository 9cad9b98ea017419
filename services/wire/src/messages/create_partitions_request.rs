//! `CreatePartitionsRequest`: topics to be given more partitions.

use crate::message::message;
use crate::text::Text;

message! {
    /// Topics to be given more partitions.
    CreatePartitionsRequest { versions 0..=3, flexible from 2 }
    {
        topics: Vec<CreatePartitionsTopic> [..];
        timeout_ms: i32 [..];
        validate_only: bool [..];
    }

    CreatePartitionsTopic {
        name: Text [..];
        count: i32 [..];
        assignments: Option<Vec<CreatePartitionsAssignment>> [..] = Some(Vec::new());
    }

    CreatePartitionsAssignment {
        broker_ids: Vec<i32> [..];
    }
}
