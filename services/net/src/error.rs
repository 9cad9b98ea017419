//! Why a listener does not listen, or certificates cannot be used.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("bind listener '{name}' to {address}")]
    Bind { name: String, address: SocketAddr, source: io::Error },
    #[error("set up tls of listener '{name}'")]
    Tls { name: String, source: TlsError },
}

/// Certificates or keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("read {path}")]
    Read { path: PathBuf, source: rustls_pki_types::pem::Error },
    #[error("{path} holds no certificate")]
    NoCertificate { path: PathBuf },
    #[error("certificate and key do not make a server")]
    Unusable(#[from] rustls::Error),
}
