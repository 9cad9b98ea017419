//! `ListConfigResourcesRequest`: the types of config resources to list.

use crate::message::message;

message! {
    /// The types of config resources to list.
    ListConfigResourcesRequest { versions 0..=1, flexible from 0 }
    {
        resource_types: Vec<i8> [1..];
    }
}
