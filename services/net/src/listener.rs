//! `Listener`: one address clients connect to.

use std::net::SocketAddr;

use crate::tls::TlsFiles;

/// A listener as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub name: String,
    pub bind: SocketAddr,
    pub advertised: Advertised,
    pub tls: Option<TlsFiles>,
}

/// Where clients are told to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    pub host: String,
    /// Zero stands for the port that was bound.
    pub port: u16,
}
