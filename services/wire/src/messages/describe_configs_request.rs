//! `DescribeConfigsRequest`: resources whose configs are asked for.

use crate::message::message;
use crate::text::Text;

message! {
    /// Resources whose configs are asked for.
    DescribeConfigsRequest { versions 1..=4, flexible from 4 }
    {
        resources: Vec<DescribeConfigsResource> [..];
        include_synonyms: bool [..];
        include_documentation: bool [3..];
    }

    DescribeConfigsResource {
        resource_type: i8 [..];
        resource_name: Text [..];
        configuration_keys: Option<Vec<Text>> [..] = Some(Vec::new());
    }
}
