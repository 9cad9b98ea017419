//! `DescribeAclsResponse`: access rules by resource.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// Access rules by resource.
    DescribeAclsResponse { versions 1..=3, flexible from 2 }
    {
        throttle_time_ms: i32 [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
        resources: Vec<DescribeAclsResource> [..];
    }

    DescribeAclsResource {
        resource_type: i8 [..];
        resource_name: Text [..];
        pattern_type: i8 [..] = 3;
        acls: Vec<AclDescription> [..];
    }

    AclDescription {
        principal: Text [..];
        host: Text [..];
        operation: i8 [..];
        permission_type: i8 [..];
    }
}
