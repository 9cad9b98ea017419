//! `Principal`: who asks, the hook that finds it out, and who is let in.

use aquifer_client::Mechanism;

/// A caller, by the name that brokers and tokens know.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Principal(String);

/// Tells who a caller is by what it presents. One that knows nobody lets everybody in, as nobody.
pub trait Authenticator: Send + Sync + 'static {
    /// `credential` is what stood behind `Authorization: Bearer`, or an API key; nothing if there was neither.
    fn identify(&self, credential: Option<&str>) -> Option<Principal>;
}

/// Who is let in, and as whom brokers see it.
pub enum Entrance {
    /// Everybody, as nobody.
    Open,
    /// Whoever presents a credential that is known here; brokers see the gateway.
    Known(Box<dyn Authenticator>),
    /// Whoever brokers let in: they are shown the caller's own credentials, users and passwords in this way.
    AsCaller(Mechanism),
}

impl Principal {
    /// A caller that nobody asked who it is.
    #[must_use]
    pub fn anonymous() -> Principal {
        Principal("User:ANONYMOUS".to_owned())
    }

    #[must_use]
    pub fn user(name: &str) -> Principal {
        Principal(format!("User:{name}"))
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}
