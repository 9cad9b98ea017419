//! `DescribeTopicPartitionsRequest`: topics to describe page by page.

use crate::message::message;
use crate::text::Text;

message! {
    /// Topics to describe page by page.
    DescribeTopicPartitionsRequest { versions 0..=0, flexible from 0 }
    {
        topics: Vec<TopicRequest> [..];
        response_partition_limit: i32 [..] = 2_000;
        cursor: Option<Cursor> [..];
    }

    TopicRequest {
        name: Text [..];
    }

    Cursor {
        topic_name: Text [..];
        partition_index: i32 [..];
    }
}
