//! Kafka messages as bytes: one description per message makes its structs, bounded decoding and encoding.
//!
//! A broker reads a frame with [`RequestFrame::parse`], decodes its body with [`RequestBody::decode`] and answers with
//! [`encode_response`]; a client does the reverse with [`encode_request`] and [`decode_response`]. Nothing here does
//! I/O. Decoded text and record bytes alias the frame. Encoded record bytes leave as pieces of their own, or as holes
//! that the caller fills from a file.

#![forbid(unsafe_code)]

mod api;
mod decoder;
mod encoder;
mod error_code;
mod frame;
mod header;
mod message;
pub mod messages;
mod records;
mod text;
mod value;

#[cfg(test)]
mod bounds_test;
#[cfg(test)]
mod frame_test;
#[cfg(test)]
mod golden_test;
#[cfg(test)]
mod oracle_test;
#[cfg(test)]
mod own_test;
#[cfg(test)]
mod sample;

pub use api::{ApiKey, RequestBody, ResponseBody, SUPPORTED, SupportedVersions};
pub use decoder::DecodeError;
pub use encoder::{EncodeError, Piece};
pub use error_code::ErrorCode;
pub use frame::{RequestFrame, decode_response, encode_request, encode_response};
pub use header::{RequestHeader, RequestPrefix};
pub use message::{Message, Request, Response};
pub use records::{Hole, Records};
pub use text::{InvalidText, Text};
pub use value::Float;
