//! `CreateTopicsResponse`: what became of each topic to create.

use aquifer_types::Uuid;

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// What became of each topic to create.
    CreateTopicsResponse { versions 2..=7, flexible from 5 }
    {
        throttle_time_ms: i32 [..];
        topics: Vec<CreatableTopicResult> [..];
    }

    CreatableTopicResult {
        name: Text [..];
        topic_id: Uuid [7..] ignorable;
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
        topic_config_error_code: ErrorCode [5.., tag 0] ignorable;
        num_partitions: i32 [5..] ignorable = -1;
        replication_factor: i16 [5..] ignorable = -1;
        configs: Option<Vec<CreatableTopicConfigs>> [5..] ignorable = Some(Vec::new());
    }

    CreatableTopicConfigs {
        name: Text [..];
        value: Option<Text> [..] = Some(Text::EMPTY);
        read_only: bool [..];
        config_source: i8 [..] = -1;
        is_sensitive: bool [..];
    }
}
