//! Request and response headers, and the part of a request that can be read whatever its key and version.

use bytes::Bytes;

use crate::decoder::{DecodeError, Decoder};
use crate::encoder::{EncodeError, Encoder};
use crate::text::Text;
use crate::value::{NullableValue, Value};

/// The first eight bytes of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestPrefix {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
}

/// Header versions 1 and 2; version 0, without a client id, belonged to an API that Kafka dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<Text>,
}

impl RequestPrefix {
    pub const LENGTH: usize = 8;

    /// Reads the prefix of a frame without its size: also for keys and versions that nobody knows.
    pub fn peek(frame: &[u8]) -> Result<RequestPrefix, DecodeError> {
        let Some([k0, k1, v0, v1, correlation @ ..]) = frame.first_chunk::<{ RequestPrefix::LENGTH }>()
        else {
            return Err(DecodeError::ShortFrame { length: frame.len() });
        };
        Ok(RequestPrefix {
            api_key: i16::from_be_bytes([*k0, *k1]),
            api_version: i16::from_be_bytes([*v0, *v1]),
            correlation_id: i32::from_be_bytes(*correlation),
        })
    }
}

impl RequestHeader {
    /// Reads a header and says where the body begins.
    pub(crate) fn decode(frame: &Bytes, flexible: bool) -> Result<(RequestHeader, usize), DecodeError> {
        let RequestPrefix { api_key, api_version, correlation_id } = RequestPrefix::peek(frame)?;
        // The client id keeps its two-byte length in flexible headers, so that any broker can read any header.
        let mut decoder = Decoder::new(frame, api_version, false);
        decoder.array::<{ RequestPrefix::LENGTH }>()?;
        decoder.begin("client_id");
        let client_id = Text::decode_nullable(&mut decoder)?;
        if flexible {
            decoder.begin("header's tagged fields");
            decoder.skip_tagged_fields()?;
        }
        Ok((RequestHeader { api_key, api_version, correlation_id, client_id }, decoder.position()))
    }

    pub(crate) fn encode(&self, encoder: &mut Encoder) -> Result<(), EncodeError> {
        encoder.put(&self.api_key.to_be_bytes());
        encoder.put(&self.api_version.to_be_bytes());
        encoder.put(&self.correlation_id.to_be_bytes());
        encoder.begin("client_id");
        let flexible = encoder.set_flexible(false);
        self.client_id.encode(encoder, true)?;
        encoder.set_flexible(flexible);
        if flexible {
            encoder.put(&[0]);
        }
        Ok(())
    }
}

/// Reads the header of a response and says where the body begins.
pub(crate) fn decode_response_header(frame: &Bytes, flexible: bool) -> Result<(i32, usize), DecodeError> {
    let mut decoder = Decoder::new(frame, 0, flexible);
    decoder.begin("correlation_id");
    let correlation_id = decoder.i32()?;
    if flexible {
        decoder.begin("header's tagged fields");
        decoder.skip_tagged_fields()?;
    }
    Ok((correlation_id, decoder.position()))
}

pub(crate) fn encode_response_header(encoder: &mut Encoder, correlation_id: i32, flexible: bool) {
    encoder.put(&correlation_id.to_be_bytes());
    if flexible {
        encoder.put(&[0]);
    }
}
