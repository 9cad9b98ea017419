//! `DescribeProducersRequest`: partitions whose active producers are asked for.

use crate::message::message;
use crate::text::Text;

message! {
    /// Partitions whose active producers are asked for.
    DescribeProducersRequest { versions 0..=0, flexible from 0 }
    {
        topics: Vec<TopicRequest> [..];
    }

    TopicRequest {
        name: Text [..];
        partition_indexes: Vec<i32> [..];
    }
}
