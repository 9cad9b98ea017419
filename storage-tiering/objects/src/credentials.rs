//! `Credentials`: who we are toward S3, from wherever AWS's own tools take it, asked for once for all who need it.

use std::error::Error as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, UNIX_EPOCH};

use aquifer_runtime::{Monotonic, Now, Runtime};
use async_trait::async_trait;
use aws_config::Region;
use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::meta::region::ProvideRegion as _;
use aws_config::profile::ProfileFileRegionProvider;
use aws_credential_types::provider::error::CredentialsError as Refusal;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;

/// How long before credentials expire others are asked for: requests that are signed with them still have to arrive.
const AHEAD: Duration = Duration::from_secs(5 * 60);
/// How long an answer, good or bad, is believed before anybody is asked again who does not have to be.
const PAUSE: Duration = Duration::from_secs(5);
/// How long one may take to answer: programs, web services and the machine's own metadata among them.
const PATIENCE: Duration = Duration::from_secs(30);

/// Nobody gives us credentials.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error(
        "there are no credentials for S3; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile by \
         AWS_PROFILE, or give the machine or the container a role"
    )]
    None,
    #[error("the profile or the environment that names the credentials for S3 is not right: {0}")]
    Invalid(String),
    #[error("the credentials for S3 cannot be had at the moment: {0}")]
    Away(String),
}

/// Credentials for as long as they are good. Whoever needs them when they are not waits for the one who asks.
#[derive(Debug)]
pub(crate) struct Credentials {
    source: SharedCredentialsProvider,
    runtime: Runtime,
    held: Mutex<Held>,
    /// Held by who asks.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Held {
    given: Option<Given>,
    failed: Option<CredentialsError>,
    asked: Option<Monotonic>,
}

#[derive(Debug)]
struct Given {
    credential: Arc<AwsCredential>,
    /// By the wall clock, in milliseconds; never where nothing is said.
    expires_ms: i64,
}

/// What is to be done for one who needs credentials.
enum Answer {
    Use(Arc<AwsCredential>),
    /// These are good, but others should be asked for.
    Renew(Arc<AwsCredential>),
    Ask,
    Fail(CredentialsError),
}

/// The region that the environment does not say: the profile's, or the one that the machine runs in, which is asked only
/// where the store may well be AWS's own.
pub(crate) async fn region(is_aws: bool) -> Option<String> {
    let region = if is_aws {
        DefaultRegionChain::builder().build().region().await
    } else {
        ProfileFileRegionProvider::new().region().await
    };
    region.map(|region| region.as_ref().to_owned())
}

impl Credentials {
    /// Finds out who is to be asked: environment, profile, web identity, container, machine. The region is where roles are
    /// assumed.
    pub(crate) async fn load(region: Option<String>, runtime: &Runtime) -> Credentials {
        let region = region.map_or(Region::from_static("us-east-1"), Region::new);
        let config = aws_config::from_env().region(region).load().await;
        let source = config.credentials_provider().expect("the default chain is always there");
        Credentials {
            source,
            runtime: runtime.clone(),
            held: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("looking at credentials does not panic")
    }

    fn answer(&self) -> Answer {
        self.held().answer(self.runtime.now())
    }

    async fn ask(&self) -> Result<Arc<AwsCredential>, CredentialsError> {
        let told = self.runtime.timeout(PATIENCE, self.source.provide_credentials()).await;
        let told = told.unwrap_or_else(|| Err(Refusal::provider_timed_out(PATIENCE)));
        let now = self.runtime.now();
        let given = told.map(|told| Given::of(&told)).map_err(|refusal| CredentialsError::of(&refusal));
        let given = given.and_then(|given| if given.is_good(now) { Ok(given) } else { Err(expired()) });
        let mut held = self.held();
        held.asked = Some(now.monotonic);
        match given {
            Ok(given) => {
                held.failed = None;
                Ok(held.given.insert(given).credential.clone())
            }
            Err(error) => {
                tracing::warn!(%error, "no new credentials");
                held.failed = Some(error.clone());
                let good = held.given.as_ref().filter(|given| given.is_good(now));
                good.map(|given| given.credential.clone()).ok_or(error)
            }
        }
    }
}

impl Given {
    fn of(told: &aws_credential_types::Credentials) -> Given {
        let expires = told.expiry().map(|at| at.duration_since(UNIX_EPOCH).unwrap_or_default());
        let expires_ms = expires.map_or(i64::MAX, |at| i64::try_from(at.as_millis()).unwrap_or(i64::MAX));
        let credential = AwsCredential {
            key_id: told.access_key_id().to_owned(),
            secret_key: told.secret_access_key().to_owned(),
            token: told.session_token().map(str::to_owned),
        };
        Given { credential: Arc::new(credential), expires_ms }
    }

    fn is_good(&self, now: Now) -> bool {
        now.wall.0 < self.expires_ms
    }

    fn is_due(&self, now: Now) -> bool {
        let ahead_ms = i64::try_from(AHEAD.as_millis()).unwrap_or(i64::MAX);
        self.expires_ms.saturating_sub(now.wall.0) <= ahead_ms
    }
}

impl Held {
    fn answer(&self, now: Now) -> Answer {
        let is_recent = self.asked.is_some_and(|asked| now.monotonic.since(asked) < PAUSE);
        let good = self.given.as_ref().filter(|given| given.is_good(now));
        match (good, &self.failed) {
            (Some(given), _) if given.is_due(now) && !is_recent => Answer::Renew(given.credential.clone()),
            (Some(given), _) => Answer::Use(given.credential.clone()),
            (None, Some(error)) if is_recent => Answer::Fail(error.clone()),
            (None, _) => Answer::Ask,
        }
    }
}

#[async_trait]
impl CredentialProvider for Credentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let turn = match self.answer() {
            Answer::Use(credential) => return Ok(credential),
            Answer::Fail(error) => return Err(error.into()),
            // Whoever has good ones does not wait for better ones.
            Answer::Renew(credential) => match self.turn.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Ok(credential),
            },
            Answer::Ask => self.turn.lock().await,
        };
        // Whoever had the turn before may have brought them.
        let told = match self.answer() {
            Answer::Use(credential) => Ok(credential),
            Answer::Fail(error) => Err(error),
            Answer::Renew(_) | Answer::Ask => self.ask().await,
        };
        drop(turn);
        told.map_err(object_store::Error::from)
    }
}

fn expired() -> CredentialsError {
    CredentialsError::Away("those given have expired".to_owned())
}

impl CredentialsError {
    fn of(refusal: &Refusal) -> CredentialsError {
        let mut message = refusal.to_string();
        let mut deeper = refusal.source();
        while let Some(source) = deeper {
            message.push_str(": ");
            message.push_str(&source.to_string());
            deeper = source.source();
        }
        match refusal {
            Refusal::CredentialsNotLoaded(_) => CredentialsError::None,
            Refusal::InvalidConfiguration(_) => CredentialsError::Invalid(message),
            _ => CredentialsError::Away(message),
        }
    }

    /// The one that an error of the client stems from.
    pub(crate) fn behind(error: &object_store::Error) -> Option<&CredentialsError> {
        let mut error: &(dyn std::error::Error + 'static) = error;
        loop {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            error = error.source()?;
        }
    }
}

impl From<CredentialsError> for object_store::Error {
    fn from(error: CredentialsError) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: Box::new(error) }
    }
}

#[cfg(test)]
#[path = "credentials_test.rs"]
mod tests;
