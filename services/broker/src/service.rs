//! `Port`: the Kafka port's service. A frame is decoded, handed to its API, and the answer encoded.

use std::fmt::Display;
use std::sync::Arc;

use aquifer_net::{Call, Chunk, Connection, Outcome, Reply, Service};
use aquifer_wire::messages::ApiVersionsResponse;
use aquifer_wire::{
    ApiKey, ErrorCode, Piece, RequestBody, RequestFrame, RequestPrefix, Response, Text, encode_response,
};
use bytes::Bytes;

use crate::api;
use crate::broker::Broker;

/// What a connection's requests have in common: nothing, as long as callers have no names.
pub type Session = ();

/// Answers the frames of all connections.
#[derive(Clone, Debug)]
pub struct Port(pub Arc<Broker>);

/// Where a request came from and how its answer is addressed.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) connection: Arc<Connection<Session>>,
    pub(crate) correlation_id: i32,
    pub(crate) version: i16,
    /// What the client calls itself; it shares the request's memory.
    pub(crate) client_id: Text,
}

impl Service for Port {
    type Session = Session;

    fn call(&self, connection: &Arc<Connection<Session>>, frame: Bytes) -> Call {
        match RequestFrame::parse(&frame) {
            Ok(request) if frame.len() > api::frame_bytes_max(request.key) => {
                refuse(connection, Some(request.key), &"the request is too long for its API")
            }
            Ok(request) => {
                let caller = Caller {
                    connection: connection.clone(),
                    correlation_id: request.header.correlation_id,
                    version: request.header.api_version,
                    client_id: request.header.client_id.clone().unwrap_or_default(),
                };
                match RequestBody::decode(request.key, caller.version, &request.body) {
                    Ok(body) => api::dispatch(&self.0, caller, body),
                    Err(error) => refuse(connection, Some(request.key), &error),
                }
            }
            Err(error) => unsupported(&frame).map_or_else(|| refuse(connection, None, &error), Call::Now),
        }
    }
}

/// What cannot be understood cannot be answered either: the connection is closed, and the log says why.
fn refuse(connection: &Connection<Session>, key: Option<ApiKey>, error: &dyn Display) -> Call {
    tracing::warn!(peer = %connection.peer, api = ?key, %error, "request refused, connection closed");
    Call::Now(Outcome::Close)
}

/// A client that is newer than we are learns our versions from an answer of version 0.
fn unsupported(frame: &Bytes) -> Option<Outcome> {
    let prefix = RequestPrefix::peek(frame).ok()?;
    if prefix.api_key != ApiKey::ApiVersions.number() {
        return None;
    }
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: api::cluster::advertised(),
        ..ApiVersionsResponse::default()
    };
    let pieces = encode_response(prefix.correlation_id, 0, &response).ok()?;
    Some(Outcome::Reply(reply(pieces, &[])))
}

impl Caller {
    /// The answer, or a closed connection where it cannot be written in the version asked for.
    pub(crate) fn answer<R: Response>(&self, response: &R) -> Outcome {
        self.answer_with(response, &[])
    }

    /// An answer whose holes are filled with `files`, by token.
    pub(crate) fn answer_with<R: Response>(&self, response: &R, files: &[Vec<Chunk>]) -> Outcome {
        match encode_response(self.correlation_id, self.version, response) {
            Ok(pieces) => Outcome::Reply(reply(pieces, files)),
            Err(error) => {
                tracing::error!(
                    peer = %self.connection.peer, version = self.version, %error,
                    "an answer does not fit its version, connection closed"
                );
                Outcome::Close
            }
        }
    }

    /// The name of the listener the caller used.
    pub(crate) fn listener(&self) -> &str {
        &self.connection.listener.name
    }
}

/// The pieces of a frame without its size, which the writer puts in front.
fn reply(pieces: Vec<Piece>, files: &[Vec<Chunk>]) -> Reply {
    const SIZE_BYTES: usize = 4;
    let mut chunks = Vec::with_capacity(pieces.len());
    for (place, piece) in pieces.into_iter().enumerate() {
        match piece {
            Piece::Bytes(bytes) if place == 0 => chunks.push(Chunk::Bytes(bytes.slice(SIZE_BYTES..))),
            Piece::Bytes(bytes) => chunks.push(Chunk::Bytes(bytes)),
            Piece::Hole(hole) => chunks.extend_from_slice(&files[hole.token as usize]),
        }
    }
    Reply { chunks }
}
