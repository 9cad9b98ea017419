//! Whole frames: size, header and body of a request or response.

use bytes::Bytes;

use crate::api::ApiKey;
use crate::decoder::DecodeError;
use crate::encoder::{EncodeError, Encoder, Piece};
use crate::header::{RequestHeader, RequestPrefix, decode_response_header, encode_response_header};
use crate::message::{Request, Response, write_body};
use crate::text::Text;

/// A request whose key and version are known, with its body still encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestFrame {
    pub key: ApiKey,
    pub header: RequestHeader,
    pub body: Bytes,
}

impl RequestFrame {
    /// Splits a frame (without its size) into header and body. An unknown key or unsupported version is an error that
    /// names it; the correlation id can then still be had from [`RequestPrefix::peek`], to answer an ApiVersions
    /// request of any version with a body of version 0.
    pub fn parse(frame: &Bytes) -> Result<RequestFrame, DecodeError> {
        let RequestPrefix { api_key, api_version: version, .. } = RequestPrefix::peek(frame)?;
        let key = ApiKey::from_number(api_key).ok_or(DecodeError::UnknownApiKey { api_key })?;
        let supported = key.supported();
        if !supported.contains(version) {
            return Err(DecodeError::UnsupportedVersion { api_key, version });
        }
        let (header, body_start) = RequestHeader::decode(frame, version >= supported.flexible_from)?;
        Ok(RequestFrame { key, header, body: frame.slice(body_start..) })
    }
}

/// A response with size and header, in pieces to be sent in order.
pub fn encode_response<R: Response>(
    correlation_id: i32,
    version: i16,
    response: &R,
) -> Result<Vec<Piece>, EncodeError> {
    let mut encoder = Encoder::new(version, R::is_flexible(version));
    encoder.put(&[0; 4]);
    encode_response_header(&mut encoder, correlation_id, R::has_flexible_header(version));
    write_body(response, &mut encoder)?;
    encoder.into_frame()
}

/// A request with size and header, in pieces to be sent in order.
pub fn encode_request<R: Request>(
    correlation_id: i32,
    client_id: Option<&Text>,
    version: i16,
    request: &R,
) -> Result<Vec<Piece>, EncodeError> {
    let mut encoder = Encoder::new(version, R::is_flexible(version));
    encoder.put(&[0; 4]);
    let header = RequestHeader {
        api_key: R::KEY.number(),
        api_version: version,
        correlation_id,
        client_id: client_id.cloned(),
    };
    header.encode(&mut encoder)?;
    write_body(request, &mut encoder)?;
    encoder.into_frame()
}

/// The correlation id and body of a response frame (without its size) of that version.
pub fn decode_response<R: Response>(version: i16, frame: &Bytes) -> Result<(i32, R), DecodeError> {
    let (correlation_id, body_start) = decode_response_header(frame, R::has_flexible_header(version))?;
    let response = R::decode_body(version, &frame.slice(body_start..))?;
    Ok((correlation_id, response))
}
