//! `OffsetDeleteRequest`: committed offsets to delete.

use crate::message::{NEVER, message};
use crate::text::Text;

message! {
    /// Committed offsets to delete.
    OffsetDeleteRequest { versions 0..=0, flexible from NEVER }
    {
        group_id: Text [..];
        topics: Vec<OffsetDeleteRequestTopic> [..];
    }

    OffsetDeleteRequestTopic {
        name: Text [..];
        partitions: Vec<OffsetDeleteRequestPartition> [..];
    }

    OffsetDeleteRequestPartition {
        partition_index: i32 [..];
    }
}
