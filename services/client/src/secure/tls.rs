//! `TlsConnector`: TCP with TLS over it, by the same provider as our listeners.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;

use crate::address::Address;
use crate::connector::{Connecting, Connector, Stream};

/// Whose signature on a broker's certificate counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// Those the system trusts.
    System,
    /// Those in this file, in PEM, and no others.
    File(PathBuf),
}

/// What a client's TLS is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub roots: Roots,
    /// The client's own certificate chain and key, both in PEM, for brokers that ask for them.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// TLS over TCP. A broker must show a certificate for the host by which it is addressed.
#[derive(Clone, Debug)]
pub struct TlsConnector {
    config: Arc<ClientConfig>,
}

/// The files do not make a configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("read {path}")]
    Read { path: PathBuf, source: rustls_pki_types::pem::Error },
    #[error("{path} holds no certificate")]
    NoCertificate { path: PathBuf },
    #[error("the system has no certificates that it trusts; name a file with some")]
    NoRoots,
    #[error("use certificates and key")]
    Config(#[from] rustls::Error),
}

impl TlsConnector {
    /// Reads the files; blocks.
    pub fn load(files: &TlsFiles) -> Result<TlsConnector, TlsError> {
        let mut roots = RootCertStore::empty();
        match &files.roots {
            Roots::File(path) => {
                for certificate in certificates(path)? {
                    roots.add(certificate)?;
                }
            }
            Roots::System => {
                let found = rustls_native_certs::load_native_certs();
                let (added, _unusable) = roots.add_parsable_certificates(found.certs);
                if added == 0 {
                    return Err(TlsError::NoRoots);
                }
            }
        }
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match &files.identity {
            None => config.with_no_client_auth(),
            Some((chain, key)) => {
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|source| TlsError::Read { path: key.clone(), source })?;
                config.with_client_auth_cert(certificates(chain)?, key)?
            }
        };
        Ok(TlsConnector { config: Arc::new(config) })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|source| TlsError::Read { path: path.to_owned(), source })?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

impl Connector for TlsConnector {
    fn connect<'a>(&'a self, address: &'a Address) -> Connecting<'a> {
        Box::pin(async move {
            let name = ServerName::try_from(address.host.clone()).map_err(std::io::Error::other)?;
            let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
            stream.set_nodelay(true)?;
            let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.config));
            let (reader, writer) = tokio::io::split(connector.connect(name, stream).await?);
            Ok(Stream { reader: Box::new(reader), writer: Box::new(writer) })
        })
    }
}
