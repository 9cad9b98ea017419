//! `DescribeQuorumRequest`: partitions whose quorum is asked for.

use crate::message::message;
use crate::text::Text;

message! {
    /// Partitions whose quorum is asked for.
    DescribeQuorumRequest { versions 0..=2, flexible from 0 }
    {
        topics: Vec<TopicData> [..];
    }

    TopicData {
        topic_name: Text [..];
        partitions: Vec<PartitionData> [..];
    }

    PartitionData {
        partition_index: i32 [..];
    }
}
