//! `Login`: a client's side of SASL, message by message.

use std::fmt;

use aquifer_runtime::Runtime;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::scram::{Algorithm, Scram, ScramError};

const NONCE_BYTES: usize = 24;

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Sends the password itself: over TLS only, unless the network is trusted.
    Plain,
    ScramSha256,
    ScramSha512,
}

/// A name and the secret that proves it. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub mechanism: Mechanism,
    pub user: String,
    pub password: String,
}

/// The broker does not take the credentials, or does not prove that it knows them.
#[derive(Debug, thiserror::Error)]
pub enum SaslError {
    #[error("the broker takes no {asked}; it offers {offered}")]
    Mechanism { asked: &'static str, offered: String },
    #[error("the broker refuses user and password{}", .message.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Refused { message: Option<String> },
    #[error(transparent)]
    Scram(#[from] ScramError),
}

/// One login under way.
pub(crate) struct Login {
    state: State,
}

enum State {
    Plain(Vec<u8>),
    First(Scram),
    Final(Scram),
    Verifying(Scram),
    Done,
}

impl Mechanism {
    /// As brokers call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {}", self.mechanism.name(), self.user)
    }
}

impl Login {
    pub(crate) fn new(credentials: &Credentials, runtime: &Runtime) -> Login {
        let Credentials { mechanism, user, password } = credentials;
        let scram = |algorithm| {
            let mut nonce = [0; NONCE_BYTES];
            runtime.fill_random(&mut nonce);
            State::First(Scram::new(algorithm, user, password, &STANDARD.encode(nonce)))
        };
        let state = match mechanism {
            Mechanism::Plain => State::Plain(format!("\0{user}\0{password}").into_bytes()),
            Mechanism::ScramSha256 => scram(Algorithm::Sha256),
            Mechanism::ScramSha512 => scram(Algorithm::Sha512),
        };
        Login { state }
    }

    /// The next message, given the broker's last one; nothing once the login is done.
    pub(crate) fn next(&mut self, answer: &[u8]) -> Result<Option<Vec<u8>>, SaslError> {
        let (message, state) = match std::mem::replace(&mut self.state, State::Done) {
            State::Plain(message) => (Some(message), State::Done),
            State::First(scram) => (Some(scram.first().into_bytes()), State::Final(scram)),
            State::Final(mut scram) => {
                let message = scram.answer(answer)?;
                (Some(message.into_bytes()), State::Verifying(scram))
            }
            State::Verifying(scram) => {
                scram.verify(answer)?;
                (None, State::Done)
            }
            State::Done => (None, State::Done),
        };
        self.state = state;
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_one_message_and_secrets_are_never_shown() {
        let credentials = Credentials {
            mechanism: Mechanism::Plain,
            user: "alice".to_owned(),
            password: "hunter2".to_owned(),
        };
        let mut login = Login::new(&credentials, &Runtime::real());

        assert_eq!(login.next(b"").expect("a message"), Some(b"\0alice\0hunter2".to_vec()));
        assert_eq!(login.next(b"").expect("done"), None);
        assert_eq!(format!("{credentials:?}"), "PLAIN as alice");
    }
}
