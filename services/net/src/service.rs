//! `Service`: who answers the frames, and what answers are made of.

use std::fmt;
use std::sync::Arc;

use aquifer_disk::FileHandle;
use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::connection::Connection;

/// Answers requests. One value serves all connections.
pub trait Service: Send + Sync + 'static {
    /// What the service remembers of a connection while it is open.
    type Session: Default + Send + Sync + 'static;

    /// Takes one frame, without its length. Frames of a connection come one after the other, in arrival order; whatever
    /// must happen in that order happens in here, not in the future. Must not block. The frame's memory counts against
    /// the server's budget until the last slice of it is dropped, so what is kept is copied.
    fn call(&self, connection: &Arc<Connection<Self::Session>>, frame: Bytes) -> Call;
}

/// An answer, or the promise of one.
pub enum Call {
    Now(Outcome),
    /// Polled from the start, also while earlier answers are outstanding; dropped if the connection closes.
    Later(BoxFuture<'static, Outcome>),
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Outcome {
    Reply(Reply),
    /// Nothing is answered, as the request asked.
    Silent,
    /// Earlier answers leave, then the connection is closed.
    Close,
}

/// A reply without its length, which the writer puts in front.
#[derive(Debug, Default)]
pub struct Reply {
    pub chunks: Vec<Chunk>,
}

/// A piece of a reply.
#[derive(Clone)]
pub enum Chunk {
    Bytes(Bytes),
    /// A range of a file, which must be there until the reply has left: the handle keeps it open.
    File {
        file: FileHandle,
        at: u64,
        bytes: u64,
    },
}

impl Reply {
    /// Bytes of all chunks.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.chunks.iter().map(Chunk::bytes).fold(0, u64::saturating_add)
    }
}

impl From<Bytes> for Reply {
    fn from(bytes: Bytes) -> Reply {
        Reply { chunks: vec![Chunk::Bytes(bytes)] }
    }
}

impl Chunk {
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Chunk::Bytes(bytes) => bytes.len() as u64,
            Chunk::File { bytes, .. } => *bytes,
        }
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Chunk::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Chunk::File { at, bytes, .. } => write!(f, "File({at}..{})", at.saturating_add(*bytes)),
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Call::Now(outcome) => f.debug_tuple("Now").field(outcome).finish(),
            Call::Later(_) => f.write_str("Later"),
        }
    }
}
