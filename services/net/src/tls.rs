//! TLS: certificates from files, loaded again when the files change.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::error::TlsError;

/// Where certificate chain and key are, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificates: PathBuf,
    pub key: PathBuf,
}

/// The certificates in use.
#[derive(Debug)]
pub struct Certificates {
    files: TlsFiles,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    loaded: Loaded,
    config: Arc<ServerConfig>,
}

/// What was read, so that a change is known when it is read again.
#[derive(Debug, PartialEq, Eq)]
struct Loaded {
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Certificates {
    /// Reads the files; blocks.
    pub fn load(files: TlsFiles) -> Result<Certificates, TlsError> {
        let loaded = Loaded::read(&files)?;
        let config = Arc::new(loaded.config()?);
        Ok(Certificates { files, current: RwLock::new(Current { loaded, config }) })
    }

    /// Reads the files again; blocks. `true` if new connections now see others. What cannot be used changes nothing, so
    /// a half-written pair is passed over until it is whole.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let loaded = Loaded::read(&self.files)?;
        if loaded == self.current.read().expect("nothing panics under this lock").loaded {
            return Ok(false);
        }
        let config = Arc::new(loaded.config()?);
        *self.current.write().expect("nothing panics under this lock") = Current { loaded, config };
        Ok(true)
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().expect("nothing panics under this lock");
        TlsAcceptor::from(Arc::clone(&current.config))
    }
}

impl Loaded {
    fn read(files: &TlsFiles) -> Result<Loaded, TlsError> {
        let failed = |path: &PathBuf| {
            let path = path.clone();
            move |source| TlsError::Read { path, source }
        };
        let certificates = CertificateDer::pem_file_iter(&files.certificates)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(failed(&files.certificates))?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate { path: files.certificates.clone() });
        }
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(failed(&files.key))?;
        Ok(Loaded { certificates, key })
    }

    fn config(&self) -> Result<ServerConfig, TlsError> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(self.certificates.clone(), self.key.clone_key())?;
        Ok(config)
    }
}
