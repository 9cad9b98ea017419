//! `FindCoordinatorRequest`: the keys whose coordinators are asked for.

use crate::message::message;
use crate::text::Text;

message! {
    /// The keys whose coordinators are asked for.
    FindCoordinatorRequest { versions 0..=6, flexible from 3 }
    {
        key: Text [..=3];
        key_type: i8 [1..];
        coordinator_keys: Vec<Text> [4..];
    }
}
