//! `AlterClientQuotasResponse`: what became of each quota.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// What became of each quota.
    AlterClientQuotasResponse { versions 0..=1, flexible from 1 }
    {
        throttle_time_ms: i32 [..];
        entries: Vec<EntryData> [..];
    }

    EntryData {
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
        entity: Vec<EntityData> [..];
    }

    EntityData {
        entity_type: Text [..];
        entity_name: Option<Text> [..] = Some(Text::EMPTY);
    }
}
