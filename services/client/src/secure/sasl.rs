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
    /// The password is a token that names its bearer; there is no user.
    OAuthBearer,
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
    #[error("the broker refuses the credentials{}", .message.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
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
    Bearer(Vec<u8>),
    /// A broker that takes the token says nothing more of it.
    Borne,
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
            Mechanism::OAuthBearer => "OAUTHBEARER",
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
            Mechanism::OAuthBearer => {
                State::Bearer(format!("n,,\u{1}auth=Bearer {password}\u{1}\u{1}").into_bytes())
            }
            Mechanism::ScramSha256 => scram(Algorithm::Sha256),
            Mechanism::ScramSha512 => scram(Algorithm::Sha512),
        };
        Login { state }
    }

    /// The next message, given the broker's last one; nothing once the login is done.
    pub(crate) fn next(&mut self, answer: &[u8]) -> Result<Option<Vec<u8>>, SaslError> {
        let (message, state) = match std::mem::replace(&mut self.state, State::Done) {
            State::Plain(message) => (Some(message), State::Done),
            State::Bearer(message) => (Some(message), State::Borne),
            State::Borne if answer.is_empty() => (None, State::Done),
            // It said what is wrong with the token, and refuses it once it was heard (RFC 7628, 3.2.3).
            State::Borne => (Some(vec![1]), State::Done),
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

    #[test]
    fn a_token_is_one_message_and_what_is_said_against_it_is_heard() {
        let credentials = Credentials {
            mechanism: Mechanism::OAuthBearer,
            user: String::new(),
            password: "t.o.k".to_owned(),
        };
        let message = b"n,,\x01auth=Bearer t.o.k\x01\x01".to_vec();
        let mut login = Login::new(&credentials, &Runtime::real());
        assert_eq!(login.next(b"").expect("a message"), Some(message.clone()));
        assert_eq!(login.next(b"").expect("done"), None);

        let mut login = Login::new(&credentials, &Runtime::real());
        assert_eq!(login.next(b"").expect("a message"), Some(message));
        assert_eq!(login.next(b"{\"status\":\"invalid_token\"}").expect("heard"), Some(vec![1]));
        assert_eq!(login.next(b"").expect("done"), None);
    }
}
