//! How a client proves who it is, and knows whom it speaks to: TLS and SASL.

mod sasl;
mod scram;
mod tls;

pub use sasl::{Credentials, Mechanism, SaslError};
pub use tls::{Roots, TlsConnector, TlsError, TlsFiles};

pub(crate) use sasl::Login;
