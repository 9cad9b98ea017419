//! `SaslAuthenticateRequest`: one SASL message of the client.

use bytes::Bytes;

use crate::message::message;

message! {
    /// One SASL message of the client.
    SaslAuthenticateRequest { versions 0..=2, flexible from 2 }
    {
        auth_bytes: Bytes [..];
    }
}
