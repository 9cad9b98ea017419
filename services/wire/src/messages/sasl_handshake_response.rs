//! `SaslHandshakeResponse`: the SASL mechanisms the broker offers.

use crate::error_code::ErrorCode;
use crate::message::{NEVER, message};
use crate::text::Text;

message! {
    /// The SASL mechanisms the broker offers.
    SaslHandshakeResponse { versions 0..=1, flexible from NEVER }
    {
        error_code: ErrorCode [..];
        mechanisms: Vec<Text> [..];
    }
}
