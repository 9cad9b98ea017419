//! `DescribeAclsRequest`: filters on the access rules to describe.

use crate::message::message;
use crate::text::Text;

message! {
    /// Filters on the access rules to describe.
    DescribeAclsRequest { versions 1..=3, flexible from 2 }
    {
        resource_type_filter: i8 [..];
        resource_name_filter: Option<Text> [..] = Some(Text::EMPTY);
        pattern_type_filter: i8 [..] = 3;
        principal_filter: Option<Text> [..] = Some(Text::EMPTY);
        host_filter: Option<Text> [..] = Some(Text::EMPTY);
        operation: i8 [..];
        permission_type: i8 [..];
    }
}
