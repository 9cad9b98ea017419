//! `DescribeLogDirsRequest`: partitions whose log directories are asked for.

use crate::message::message;
use crate::text::Text;

message! {
    /// Partitions whose log directories are asked for.
    DescribeLogDirsRequest { versions 1..=5, flexible from 2 }
    {
        topics: Option<Vec<DescribableLogDirTopic>> [..] = Some(Vec::new());
    }

    DescribableLogDirTopic {
        topic: Text [..];
        partitions: Vec<i32> [..];
    }
}
