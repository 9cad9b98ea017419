//! The server over real sockets on loopback.

#[path = "sockets/files.rs"]
mod files;
#[path = "sockets/limits.rs"]
mod limits;
#[path = "sockets/order.rs"]
mod order;
#[path = "sockets/pieces.rs"]
mod pieces;
#[path = "sockets/secure.rs"]
mod secure;
#[path = "sockets/support.rs"]
mod support;
