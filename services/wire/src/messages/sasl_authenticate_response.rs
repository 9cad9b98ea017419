//! `SaslAuthenticateResponse`: one SASL message of the broker.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// One SASL message of the broker.
    SaslAuthenticateResponse { versions 0..=2, flexible from 2 }
    {
        error_code: ErrorCode [..];
        error_message: Option<Text> [..] = Some(Text::EMPTY);
        auth_bytes: Bytes [..];
        session_lifetime_ms: i64 [1..] ignorable;
    }
}
