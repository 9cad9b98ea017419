//! `Gateway`: what every request shares, none of which another node would miss.

use std::sync::Arc;
use std::time::Duration;

use aquifer_client::{Client, Producer, ProducerSettings};
use aquifer_runtime::{Runtime, Shutdown};
use aquifer_session::{Keys, NONCE_BYTES, cluster_named};
use aquifer_types::ClusterId;
use tokio::sync::OnceCell;

use crate::chunks::Archive;
use crate::principal::{Authenticator, Principal};
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

/// A gateway to one cluster. Clones are the same gateway.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    authenticator: Option<Box<dyn Authenticator>>,
    /// What tokens are sealed with; all gateways that share work share it.
    keys: Keys,
    cluster: OnceCell<ClusterId>,
    producer: Producer,
    tail: Tail,
    archive: Archive,
    requests: Room,
    answers: Room,
    draining: Shutdown,
}

impl Gateway {
    /// Needs a tokio runtime around it. Without an authenticator everybody is let in, as nobody.
    #[must_use]
    pub fn new(
        client: Client,
        settings: GatewaySettings,
        authenticator: Option<Box<dyn Authenticator>>,
        keys: Keys,
    ) -> Gateway {
        let producing = ProducerSettings {
            // Records that come while requests are under way fill the next batch; waiting for more only delays them.
            linger: Duration::ZERO,
            // One is written while the next fills: more of them would be smaller, and a batch costs more than its records.
            in_flight_max: 2,
            batch_bytes_max: 1000 * 1024,
            request_bytes_max: 8 * 1024 * 1024,
            buffer_bytes_max: settings.request_bytes_max,
            delivery_timeout: settings.delivery_timeout,
            ..ProducerSettings::default()
        };
        let producer = Producer::new(client.clone(), producing);
        let room = |bytes, of| Room::new(client.runtime().clone(), bytes, settings.admission, of);
        let shared = Shared {
            tail: Tail::new(client.clone()),
            archive: Archive::new(client.clone(), settings.admission),
            requests: room(settings.request_bytes_max, "the request's body"),
            answers: room(settings.answer_bytes_max, "the answer's records"),
            draining: Shutdown::default(),
            cluster: OnceCell::new(),
            client,
            authenticator,
            keys,
            producer,
        };
        Gateway { shared: Arc::new(shared) }
    }

    #[must_use]
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        self.shared.client.runtime()
    }

    pub(crate) fn producer(&self) -> &Producer {
        &self.shared.producer
    }

    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.shared.keys
    }

    /// The cluster behind this gateway, as tokens name it.
    pub async fn cluster(&self) -> Result<ClusterId, Refusal> {
        let asked = self.shared.cluster.get_or_try_init(|| async {
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
        &self.shared.tail
    }

    pub(crate) fn archive(&self) -> &Archive {
        &self.shared.archive
    }

    /// How many wait at the end of a partition; one that waits on several counts for each.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.tail.waiting()
    }

    /// Who a caller is by what it says in `Authorization`, else by its API key.
    pub fn identify(&self, authorization: Option<&str>, key: Option<&str>) -> Result<Principal, Refusal> {
        let Some(authenticator) = &self.shared.authenticator else { return Ok(Principal::anonymous()) };
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
        let _ = self.runtime().timeout(CLOSE_PATIENCE, self.shared.producer.close()).await;
    }
}
