//! Kafka's protocol over plain sockets: whole requests, and anything else.

mod batches;
mod port;
mod requests;

pub(crate) use batches::{batch, batch_of, tampered};
pub(crate) use port::{Port, encoded};
pub(crate) use requests::{create, delete, fetch, produce, produced};
