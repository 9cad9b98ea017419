//! `DeleteRecordsRequest`: offsets before which partitions are to be cut.

use crate::message::message;
use crate::text::Text;

message! {
    /// Offsets before which partitions are to be cut.
    DeleteRecordsRequest { versions 0..=2, flexible from 2 }
    {
        topics: Vec<DeleteRecordsTopic> [..];
        timeout_ms: i32 [..];
    }

    DeleteRecordsTopic {
        name: Text [..];
        partitions: Vec<DeleteRecordsPartition> [..];
    }

    DeleteRecordsPartition {
        partition_index: i32 [..];
        offset: i64 [..];
    }
}
