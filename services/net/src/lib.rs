//! Kafka's sockets: listeners, frames, replies in request order, sendfile, TLS, and the limits on all of it.
//!
//! One task serves one connection, both ways: it reads frames, hands each to the `Service` in arrival order, and writes
//! the replies in that order. What a reply consists of is the service's business; that file ranges leave by sendfile
//! without waiting for the disk on the reactor is this crate's.

mod ahead;
mod budget;
mod connection;
mod driver;
mod error;
mod frames;
mod limits;
mod listener;
mod load;
mod metrics;
mod outgoing;
mod pool;
mod send_buffer;
mod server;
mod service;
mod sys;
mod tls;
mod transport;

pub use connection::Connection;
pub use error::{ListenError, TlsError};
pub use limits::Limits;
pub use listener::{Advertised, Listener};
pub use metrics::{Counter, Gauge, NetMetrics};
pub use server::{Bound, Server};
pub use service::{Call, Chunk, Outcome, Reply, Service};
pub use tls::{Certificates, TlsFiles};
