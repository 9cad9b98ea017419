//! `DescribeClientQuotasRequest`: filters on the quotas to describe.

use crate::message::message;
use crate::text::Text;

message! {
    /// Filters on the quotas to describe.
    DescribeClientQuotasRequest { versions 0..=1, flexible from 1 }
    {
        components: Vec<ComponentData> [..];
        strict: bool [..];
    }

    ComponentData {
        entity_type: Text [..];
        match_type: i8 [..];
        r#match: Option<Text> [..] = Some(Text::EMPTY);
    }
}
