//! `AquiferTierRequest`: what partitions have in the tier, or that they shall have everything there.

use crate::message::message;
use crate::text::Text;

message! {
    /// What partitions have in the tier, or that they shall have everything there.
    AquiferTierRequest { versions 0..=0, flexible from 0 }
    {
        action: i8 [..];
        topics: Option<Vec<Text>> [..];
        timeout_ms: i32 [..] = 60_000;
    }
}
