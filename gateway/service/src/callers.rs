//! `Callers`: those that brokers are shown the credentials of, each with connections of its own, in bounds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aquifer_client::{Client, Credentials, Mechanism};
use aquifer_runtime::Monotonic;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde::Deserialize;

use crate::gateway::GatewaySettings;
use crate::principal::Principal;
use crate::reach::Reach;
use crate::refusal::{Code, Refusal};
use crate::room::Room;

/// Callers with connections at a time.
const CALLERS_MAX: usize = 256;
/// A caller without a request for so long gives its connections up.
const IDLE: Duration = Duration::from_secs(300);
/// How often that is looked at.
const SWEEP: Duration = Duration::from_secs(30);
/// Credentials that brokers are shown for the first time, at a time.
const LOGINS_MAX: usize = 16;

/// Everybody who was let in of late.
pub(crate) struct Callers {
    client: Client,
    mechanism: Mechanism,
    settings: GatewaySettings,
    logins: Room,
    callers_max: usize,
    known: Mutex<BTreeMap<[u8; 32], Known>>,
}

struct Known {
    principal: Principal,
    reach: Arc<Reach>,
    used: Monotonic,
}

impl Callers {
    pub(crate) fn new(client: Client, mechanism: Mechanism, settings: GatewaySettings) -> Arc<Callers> {
        let logins = Room::new(client.runtime().clone(), LOGINS_MAX, settings.admission, "another login");
        let (known, callers_max) = (Mutex::default(), CALLERS_MAX);
        let callers = Arc::new(Callers { client, mechanism, settings, logins, callers_max, known });
        let (runtime, swept) = (callers.client.runtime().clone(), Arc::downgrade(&callers));
        callers.client.runtime().spawn("callers", async move {
            loop {
                runtime.sleep(SWEEP).await;
                let Some(callers) = swept.upgrade() else { return };
                callers.sweep();
            }
        });
        callers
    }

    /// Whom `Authorization` or an API key speaks for, once brokers took its word.
    pub(crate) async fn admit(
        &self,
        authorization: Option<&str>,
        key: Option<&str>,
    ) -> Result<(Principal, Arc<Reach>), Refusal> {
        let shown = Shown::read(authorization, key)?;
        let (credentials, principal) = shown.credentials(self.mechanism);
        let hash = hash(&credentials);
        if let Some(known) = self.look_up(&hash) {
            return Ok(known);
        }
        let _turn = self.logins.claim(1).await?;
        // Somebody may have come in with the same meanwhile.
        if let Some(known) = self.look_up(&hash) {
            return Ok(known);
        }
        let client = self.client.with_credentials(credentials);
        client.any_connection().await.map_err(|error| Refusal::of_client(&error))?;
        self.let_in(hash, principal, client)
    }

    fn look_up(&self, hash: &[u8; 32]) -> Option<(Principal, Arc<Reach>)> {
        let now = self.client.runtime().now().monotonic;
        let mut callers = self.known();
        let known = callers.get_mut(hash)?;
        known.used = now;
        Some((known.principal.clone(), Arc::clone(&known.reach)))
    }

    fn let_in(
        &self,
        hash: [u8; 32],
        principal: Principal,
        client: Client,
    ) -> Result<(Principal, Arc<Reach>), Refusal> {
        let now = self.client.runtime().now().monotonic;
        let mut callers = self.known();
        if callers.len() >= self.callers_max && !callers.contains_key(&hash) {
            let free = callers.iter().filter(|(_, known)| known.is_idle());
            let oldest = free.min_by_key(|(_, known)| known.used).map(|(hash, _)| *hash);
            let oldest = oldest.ok_or_else(|| {
                let detail = format!("{} callers have requests under way", self.callers_max);
                Refusal::new(Code::TooManyRequests, detail)
            })?;
            callers.remove(&oldest);
        }
        let known = callers.entry(hash).or_insert_with(|| Known {
            principal,
            reach: Arc::new(Reach::new(client, &self.settings)),
            used: now,
        });
        known.used = now;
        Ok((known.principal.clone(), Arc::clone(&known.reach)))
    }

    /// Forgets who has not come for long; connections end with that.
    fn sweep(&self) {
        let now = self.client.runtime().now().monotonic;
        self.known().retain(|_, known| !known.is_idle() || now.since(known.used) < IDLE);
    }

    /// What everybody reaches the cluster through.
    pub(crate) fn reaches(&self) -> Vec<Arc<Reach>> {
        self.known().values().map(|known| Arc::clone(&known.reach)).collect()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<[u8; 32], Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Whether no request of its own is under way.
    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.reach) == 1
    }
}

/// What a request presents.
enum Shown {
    User { name: String, password: String },
    Token(String),
}

impl Shown {
    fn read(authorization: Option<&str>, key: Option<&str>) -> Result<Shown, Refusal> {
        let refused = |detail: &str| Refusal::new(Code::Unauthenticated, detail);
        let named = |text: &str| {
            let (name, password) = text.split_once(':').filter(|(name, _)| !name.is_empty())?;
            // PLAIN has no way to write it.
            let is_text = !text.contains('\0');
            is_text.then(|| Shown::User { name: name.to_owned(), password: password.to_owned() })
        };
        if let Some((scheme, credential)) = authorization.and_then(|value| value.split_once(' ')) {
            let credential = credential.trim();
            if scheme.eq_ignore_ascii_case("bearer") {
                let is_token =
                    !credential.is_empty() && credential.bytes().all(|byte| byte.is_ascii_graphic());
                return is_token
                    .then(|| Shown::Token(credential.to_owned()))
                    .ok_or_else(|| refused("Authorization: Bearer brings no token"));
            }
            if scheme.eq_ignore_ascii_case("basic") {
                let decoded =
                    STANDARD.decode(credential).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                return decoded
                    .and_then(|text| named(&text))
                    .ok_or_else(|| refused("Authorization: Basic is not USER:PASSWORD in base64"));
            }
        }
        let key = key.ok_or_else(|| refused("the request brings no credential"))?;
        named(key).ok_or_else(|| refused("the API key is not USER:PASSWORD, as brokers know them"))
    }

    fn credentials(self, mechanism: Mechanism) -> (Credentials, Principal) {
        match self {
            Shown::User { name, password } => {
                let principal = Principal::user(&name);
                (Credentials { mechanism, user: name, password }, principal)
            }
            Shown::Token(token) => {
                let principal = Principal::user(&subject(&token));
                let mechanism = Mechanism::OAuthBearer;
                (Credentials { mechanism, user: String::new(), password: token }, principal)
            }
        }
    }
}

/// Whom a token names, so that the next one of the same caller is the same to sessions. Brokers check the token; one that
/// only they can read names nobody but itself.
fn subject(token: &str) -> String {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = claims.and_then(|json| serde_json::from_slice::<Claims>(&json).ok());
    claims.map_or_else(
        || format!("token-{}", URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()))),
        |claims| claims.sub,
    )
}

fn hash(credentials: &Credentials) -> [u8; 32] {
    let Credentials { mechanism, user, password } = credentials;
    let mut bytes = [0; 32];
    let text = format!("{}\0{user}\0{password}", mechanism.name());
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

#[cfg(test)]
#[path = "callers_test.rs"]
mod tests;
