//! `UpdateFeaturesResponse`: what became of each feature level.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// What became of each feature level.
    UpdateFeaturesResponse { versions 0..=2, flexible from 0 }
    {
        throttle_time_ms: i32 [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
        results: Vec<UpdatableFeatureResult> [..=1] ignorable;
    }

    UpdatableFeatureResult {
        feature: Text [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
    }
}
