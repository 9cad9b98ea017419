//! `DescribeConfigsResponse`: config entries with sources and synonyms.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// Config entries with sources and synonyms.
    DescribeConfigsResponse { versions 1..=4, flexible from 4 }
    {
        throttle_time_ms: i32 [..];
        results: Vec<DescribeConfigsResult> [..];
    }

    DescribeConfigsResult {
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
        resource_type: i8 [..];
        resource_name: Text [..];
        configs: Vec<DescribeConfigsResourceResult> [..];
    }

    DescribeConfigsResourceResult {
        name: Text [..];
        value: Option<Text> [..] = Some(Text::EMPTY);
        read_only: bool [..];
        config_source: i8 [..] = -1;
        is_sensitive: bool [..];
        synonyms: Vec<DescribeConfigsSynonym> [..];
        config_type: i8 [3..] ignorable;
        documentation: Option<Text> [3..] ignorable = Some(Text::EMPTY);
    }

    DescribeConfigsSynonym {
        name: Text [..];
        value: Option<Text> [..] = Some(Text::EMPTY);
        source: i8 [..];
    }
}
