//! `Principal`: who asks, and the hook that finds it out.

/// A caller, by the name that brokers and tokens know.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Principal(String);

/// Tells who a caller is by what it presents. One that knows nobody lets everybody in, as nobody.
pub trait Authenticator: Send + Sync + 'static {
    /// `credential` is what stood behind `Authorization: Bearer`, or an API key; nothing if there was neither.
    fn identify(&self, credential: Option<&str>) -> Option<Principal>;
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
