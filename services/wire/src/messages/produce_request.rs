//! `ProduceRequest`: record batches to append, by topic and partition.

use aquifer_types::Uuid;

use crate::message::message;
use crate::records::Records;
use crate::text::Text;

message! {
    /// Record batches to append, by topic and partition.
    ProduceRequest { versions 3..=13, flexible from 9 }
    {
        transactional_id: Option<Text> [..];
        acks: i16 [..];
        timeout_ms: i32 [..];
        topic_data: Vec<TopicProduceData> [..];
    }

    TopicProduceData {
        name: Text [..=12] ignorable;
        topic_id: Uuid [13..] ignorable;
        partition_data: Vec<PartitionProduceData> [..];
    }

    PartitionProduceData {
        index: i32 [..];
        records: Option<Records> [..];
    }
}
