//! `Connection`: what a service sees of one connection.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::listener::Listener;

/// One open connection.
#[derive(Debug)]
pub struct Connection<Session = ()> {
    /// Unique in this run of the program.
    pub id: u64,
    pub peer: SocketAddr,
    /// Where it came in; replies that name brokers name this listener's endpoints.
    pub listener: Arc<Listener>,
    pub session: Session,
}
