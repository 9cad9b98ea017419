//! `CreateAclsRequest`: access rules to make.

use crate::message::message;
use crate::text::Text;

message! {
    /// Access rules to make.
    CreateAclsRequest { versions 1..=3, flexible from 2 }
    {
        creations: Vec<AclCreation> [..];
    }

    AclCreation {
        resource_type: i8 [..];
        resource_name: Text [..];
        resource_pattern_type: i8 [..] = 3;
        principal: Text [..];
        host: Text [..];
        operation: i8 [..];
        permission_type: i8 [..];
    }
}
