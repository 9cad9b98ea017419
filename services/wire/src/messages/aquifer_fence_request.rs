//! `AquiferFenceRequest`: the fencing token of one partition, asked for or set.

use aquifer_types::Uuid;

use crate::message::message;
use crate::text::Text;

message! {
    /// The fencing token of one partition, asked for or set.
    AquiferFenceRequest { versions 0..=0, flexible from 0 }
    {
        topic_id: Uuid [..];
        partition_index: i32 [..];
        // The token to be; empty for none, null only to be told the present one.
        token: Option<Text> [..];
        // The token that must be until now; empty for none, null for any.
        expected_token: Option<Text> [..];
    }
}
