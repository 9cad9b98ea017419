//! `Gateway`: what every request shares, none of which another node would miss.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aquifer_client::{Client, Producer};
use aquifer_runtime::{Runtime, Shutdown};
use aquifer_session::{Keys, NONCE_BYTES, cluster_named};
use aquifer_types::ClusterId;

use crate::callers::Callers;
use crate::chunks::Archive;
use crate::principal::{Authenticator, Entrance, Principal};
use crate::reach::Reach;
use crate::refusal::{Code, Refusal};
use crate::room::Room;
use crate::tail::Tail;

/// How long a stop waits for records under way.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// How much a gateway takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewaySettings {
    /// Of request bodies under way; a request that finds no room in time is sent away.
    pub request_bytes_max: usize,
    /// Of records under way to whoever asked for them.
    pub answer_bytes_max: usize,
    /// How long a request waits for room.
    pub admission: Duration,
    /// From a record's arrival to its acknowledgement.
    pub delivery_timeout: Duration,
}

impl Default for GatewaySettings {
    fn default() -> GatewaySettings {
        GatewaySettings {
            request_bytes_max: 128 * 1024 * 1024,
            answer_bytes_max: 256 * 1024 * 1024,
            admission: Duration::from_secs(1),
            delivery_timeout: Duration::from_secs(30),
        }
    }
}

/// A gateway to one cluster, on behalf of somebody. Clones are the same gateway.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
    reach: Arc<Reach>,
}

struct Shared {
    doorman: Doorman,
    /// What tokens are sealed with; all gateways that share work share it.
    keys: Keys,
    requests: Room,
    answers: Room,
    draining: Shutdown,
    /// Nobody's in particular: where the gateway began, and wherever else it runs.
    own: Mutex<Vec<Arc<Reach>>>,
}

/// Lets callers in.
enum Doorman {
    Open,
    Known(Box<dyn Authenticator>),
    AsCaller(Arc<Callers>),
}

impl Gateway {
    /// Needs a tokio runtime around it.
    #[must_use]
    pub fn new(client: Client, settings: GatewaySettings, entrance: Entrance, keys: Keys) -> Gateway {
        let room = |bytes, of| Room::new(client.runtime().clone(), bytes, settings.admission, of);
        let reach = Arc::new(Reach::new(client.clone(), &settings));
        let (requests, answers) = (
            room(settings.request_bytes_max, "the request's body"),
            room(settings.answer_bytes_max, "the answer's records"),
        );
        let shared = Shared {
            doorman: match entrance {
                Entrance::Open => Doorman::Open,
                Entrance::Known(authenticator) => Doorman::Known(authenticator),
                Entrance::AsCaller(mechanism) => Doorman::AsCaller(Callers::new(client, mechanism, settings)),
            },
            requests,
            answers,
            draining: Shutdown::default(),
            own: Mutex::new(vec![Arc::clone(&reach)]),
            keys,
        };
        Gateway { shared: Arc::new(shared), reach }
    }

    /// The same gateway elsewhere: it reads through a client of its own, and fills batches with this one.
    #[must_use]
    pub fn on(&self, runtime: Runtime) -> Gateway {
        let reach = Arc::new(self.reach.from(runtime));
        self.own().push(Arc::clone(&reach));
        Gateway { shared: Arc::clone(&self.shared), reach }
    }

    #[must_use]
    pub fn client(&self) -> &Client {
        &self.reach.client
    }

    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        self.reach.client.runtime()
    }

    pub(crate) fn producer(&self) -> &Producer {
        &self.reach.producer
    }

    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.shared.keys
    }

    /// The cluster behind this gateway, as tokens name it.
    pub async fn cluster(&self) -> Result<ClusterId, Refusal> {
        let asked = self.reach.cluster.get_or_try_init(|| async {
            let described = self.client().describe_cluster().await;
            described.map(|cluster| cluster_named(&cluster.id))
        });
        asked.await.copied().map_err(|error| Refusal::of_client(&error))
    }

    /// For one token; never the same twice.
    #[must_use]
    pub fn nonce(&self) -> [u8; NONCE_BYTES] {
        let mut nonce = [0; NONCE_BYTES];
        self.runtime().fill_random(&mut nonce);
        nonce
    }

    pub(crate) fn tail(&self) -> &Tail {
        &self.reach.tail
    }

    pub(crate) fn archive(&self) -> &Archive {
        &self.reach.archive
    }

    /// How many wait at the end of a partition; one that waits on several counts for each.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.reaches().iter().map(|reach| reach.tail.waiting()).sum()
    }

    /// Everybody's, the gateway's own among them.
    fn reaches(&self) -> Vec<Arc<Reach>> {
        let mut reaches = match &self.shared.doorman {
            Doorman::AsCaller(callers) => callers.reaches(),
            Doorman::Open | Doorman::Known(_) => Vec::new(),
        };
        reaches.extend(self.own().iter().cloned());
        reaches
    }

    fn own(&self) -> MutexGuard<'_, Vec<Arc<Reach>>> {
        self.shared.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who a caller is by what it says in `Authorization`, else by its API key, and the gateway that acts for it.
    pub async fn admit(
        &self,
        authorization: Option<&str>,
        key: Option<&str>,
    ) -> Result<(Principal, Gateway), Refusal> {
        match &self.shared.doorman {
            Doorman::Open => Ok((Principal::anonymous(), self.clone())),
            Doorman::Known(authenticator) => {
                Ok((identify(authenticator.as_ref(), authorization, key)?, self.clone()))
            }
            Doorman::AsCaller(callers) => {
                let (principal, reach) = Box::pin(callers.admit(authorization, key)).await?;
                Ok((principal, Gateway { shared: Arc::clone(&self.shared), reach }))
            }
        }
    }

    /// Whether a caller may show a user and a password, which brokers look at.
    #[must_use]
    pub fn takes_passwords(&self) -> bool {
        matches!(self.shared.doorman, Doorman::AsCaller(_))
    }

    /// Room for requests' bodies, held until their records are acknowledged.
    #[must_use]
    pub fn requests(&self) -> &Room {
        &self.shared.requests
    }

    /// Room for answers, held until they have left.
    #[must_use]
    pub fn answers(&self) -> &Room {
        &self.shared.answers
    }

    /// Says that this node is about to stop: whoever waits is answered.
    pub fn drain(&self) {
        self.shared.draining.give();
    }

    #[must_use]
    pub fn draining(&self) -> &Shutdown {
        &self.shared.draining
    }

    /// Takes no more records, and waits until those that were taken are settled, though not without end: a cluster that
    /// does not answer holds up nobody's stop.
    pub async fn close(&self) {
        // What is not settled by then is answered as of unknown outcome, or its connection breaks: never as appended.
        let reaches = self.reaches();
        let closing = futures_util::future::join_all(reaches.iter().map(|reach| reach.producer.close()));
        let _ = self.runtime().timeout(CLOSE_PATIENCE, closing).await;
    }
}

/// Who has the credential that a request brings.
fn identify(
    authenticator: &dyn Authenticator,
    authorization: Option<&str>,
    key: Option<&str>,
) -> Result<Principal, Refusal> {
    let bearer = authorization.and_then(|value| {
        let (scheme, credential) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
    });
    let credential = bearer.or(key);
    authenticator.identify(credential).ok_or_else(|| {
        let detail = match credential {
            Some(_) => "the credential is not one that this gateway knows",
            None => "the request brings no credential",
        };
        Refusal::new(Code::Unauthenticated, detail)
    })
}
