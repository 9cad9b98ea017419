//! `AlterConfigsRequest`: resources whose configs are replaced whole.

use crate::message::message;
use crate::text::Text;

message! {
    /// Resources whose configs are replaced whole.
    AlterConfigsRequest { versions 0..=2, flexible from 2 }
    {
        resources: Vec<AlterConfigsResource> [..];
        validate_only: bool [..];
    }

    AlterConfigsResource {
        resource_type: i8 [..];
        resource_name: Text [..];
        configs: Vec<AlterableConfig> [..];
    }

    AlterableConfig {
        name: Text [..];
        value: Option<Text> [..] = Some(Text::EMPTY);
    }
}
