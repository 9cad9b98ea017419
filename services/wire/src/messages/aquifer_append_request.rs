//! `AquiferAppendRequest`: one batch for one partition, under a condition that Kafka has no words for.

use aquifer_types::Uuid;

use crate::message::message;
use crate::records::Records;
use crate::text::Text;

message! {
    /// One batch for one partition, under a condition that Kafka has no words for.
    AquiferAppendRequest { versions 0..=1, flexible from 0 }
    {
        timeout_ms: i32 [..] = 30_000;
        topic_id: Uuid [..];
        partition_index: i32 [..];
        // Where the partition must end for the batch to be taken; -1 if anywhere.
        expected_offset: i64 [..] = -1;
        // The partition's fencing token, for who must not append once it is another one; null otherwise.
        fencing_token: Option<Text> [1..];
        records: Option<Records> [..];
    }
}
