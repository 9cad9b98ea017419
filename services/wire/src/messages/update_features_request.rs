//! `UpdateFeaturesRequest`: feature levels to finalize.

use crate::message::message;
use crate::text::Text;

message! {
    /// Feature levels to finalize.
    UpdateFeaturesRequest { versions 0..=2, flexible from 0 }
    {
        timeout_ms: i32 [..] = 60_000;
        feature_updates: Vec<FeatureUpdateKey> [..];
        validate_only: bool [1..];
    }

    FeatureUpdateKey {
        feature: Text [..];
        max_version_level: i16 [..];
        allow_downgrade: bool [..=0];
        upgrade_type: i8 [1..] = 1;
    }
}
