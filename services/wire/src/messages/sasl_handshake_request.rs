//! `SaslHandshakeRequest`: the SASL mechanism the client picked.

use crate::message::{NEVER, message};
use crate::text::Text;

message! {
    /// The SASL mechanism the client picked.
    SaslHandshakeRequest { versions 0..=1, flexible from NEVER }
    {
        mechanism: Text [..];
    }
}
