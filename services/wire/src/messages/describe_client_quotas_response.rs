//! `DescribeClientQuotasResponse`: quotas by entity.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;
use crate::value::Float;

message! {
    /// Quotas by entity.
    DescribeClientQuotasResponse { versions 0..=1, flexible from 1 }
    {
        throttle_time_ms: i32 [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
        entries: Option<Vec<EntryData>> [..] = Some(Vec::new());
    }

    EntryData {
        entity: Vec<EntityData> [..];
        values: Vec<ValueData> [..];
    }

    EntityData {
        entity_type: Text [..];
        entity_name: Option<Text> [..] = Some(Text::EMPTY);
    }

    ValueData {
        key: Text [..];
        value: Float [..];
    }
}
