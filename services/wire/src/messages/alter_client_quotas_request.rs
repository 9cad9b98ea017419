//! `AlterClientQuotasRequest`: quotas to set or remove.

use crate::message::message;
use crate::text::Text;
use crate::value::Float;

message! {
    /// Quotas to set or remove.
    AlterClientQuotasRequest { versions 0..=1, flexible from 1 }
    {
        entries: Vec<EntryData> [..];
        validate_only: bool [..];
    }

    EntryData {
        entity: Vec<EntityData> [..];
        ops: Vec<OpData> [..];
    }

    EntityData {
        entity_type: Text [..];
        entity_name: Option<Text> [..] = Some(Text::EMPTY);
    }

    OpData {
        key: Text [..];
        value: Float [..];
        remove: bool [..];
    }
}
