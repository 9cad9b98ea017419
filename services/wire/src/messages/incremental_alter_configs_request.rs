//! `IncrementalAlterConfigsRequest`: single changes to the configs of resources.

use crate::message::message;
use crate::text::Text;

message! {
    /// Single changes to the configs of resources.
    IncrementalAlterConfigsRequest { versions 0..=1, flexible from 1 }
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
        config_operation: i8 [..];
        value: Option<Text> [..] = Some(Text::EMPTY);
    }
}
