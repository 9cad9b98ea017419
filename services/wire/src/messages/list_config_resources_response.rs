//! `ListConfigResourcesResponse`: the config resources that exist.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// The config resources that exist.
    ListConfigResourcesResponse { versions 0..=1, flexible from 0 }
    {
        throttle_time_ms: i32 [..];
        error_code: ErrorCode [..];
        config_resources: Vec<ConfigResource> [..];
    }

    ConfigResource {
        resource_name: Text [..];
        resource_type: i8 [1..] ignorable = 16;
    }
}
