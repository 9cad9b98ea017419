//! `ApiVersionsResponse`: the keys, versions and features a broker speaks.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// The keys, versions and features a broker speaks.
    ApiVersionsResponse { versions 0..=4, flexible from 3 }
    {
        error_code: ErrorCode [..];
        api_keys: Vec<ApiVersion> [..];
        throttle_time_ms: i32 [1..] ignorable;
        supported_features: Vec<SupportedFeatureKey> [3.., tag 0] ignorable;
        finalized_features_epoch: i64 [3.., tag 1] ignorable = -1;
        finalized_features: Vec<FinalizedFeatureKey> [3.., tag 2] ignorable;
        zk_migration_ready: bool [3.., tag 3] ignorable;
    }

    ApiVersion {
        api_key: i16 [..];
        min_version: i16 [..];
        max_version: i16 [..];
    }

    SupportedFeatureKey {
        name: Text [..];
        min_version: i16 [..];
        max_version: i16 [..];
    }

    FinalizedFeatureKey {
        name: Text [..];
        max_version_level: i16 [..];
        min_version_level: i16 [..];
    }
}
