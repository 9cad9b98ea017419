//! `Client`: calls on a cluster, each sent to the broker that can answer it and tried again where that helps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aquifer_runtime::{Monotonic, Runtime};
use aquifer_types::{NodeId, PartitionIndex, TopicId};
use aquifer_wire::messages::metadata_request::MetadataRequestTopic;
use aquifer_wire::messages::{MetadataRequest, MetadataResponse};
use aquifer_wire::{ErrorCode, Request, Text};

use crate::address::Address;
use crate::backoff::Backoff;
use crate::cluster::{Cluster, Leader, Topic};
use crate::connection::{Connection, ConnectionSettings};
use crate::connector::Connector;
use crate::coordinators::Coordinators;
use crate::error::ClientError;
use crate::secure::Credentials;

const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_LIMIT: Duration = Duration::from_secs(1);

/// A topic that was just created may be unknown to some brokers for a moment; one that is unknown so often is not there.
const UNKNOWN_TOPIC_TRIES: u32 = 4;

/// What a client holds to.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Brokers to ask first, in this order.
    pub bootstrap: Vec<Address>,
    pub connection: ConnectionSettings,
    /// How long an operation may be tried again.
    pub retry_for: Duration,
}

/// A client of one cluster. Clones share its connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    runtime: Runtime,
    connector: Arc<dyn Connector>,
    settings: ClientSettings,
    cluster: Mutex<Cluster>,
    slots: Mutex<BTreeMap<Address, Slot>>,
    coordinators: Mutex<Coordinators>,
}

/// A place for one broker's connection. Whoever opens it holds the lock, so that others wait for the same one.
type Slot = Arc<tokio::sync::Mutex<Option<Connection>>>;

/// Decides after each failure whether to try again, and waits until then.
pub(crate) struct Retry<'a> {
    client: &'a Client,
    deadline: Monotonic,
    backoff: Backoff,
}

impl Client {
    #[must_use]
    pub fn new(runtime: Runtime, connector: Arc<dyn Connector>, settings: ClientSettings) -> Client {
        let (cluster, slots, coordinators) = (Mutex::default(), Mutex::default(), Mutex::default());
        let shared = Shared { runtime, connector, settings, cluster, slots, coordinators };
        Client { shared: Arc::new(shared) }
    }

    /// A client of the same cluster that shares nothing with this one, and shows brokers other credentials.
    #[must_use]
    pub fn with_credentials(&self, credentials: Credentials) -> Client {
        let Shared { runtime, connector, settings, .. } = &*self.shared;
        let connection = ConnectionSettings { credentials: Some(credentials), ..settings.connection.clone() };
        let settings = ClientSettings { connection, ..settings.clone() };
        Client::new(runtime.clone(), Arc::clone(connector), settings)
    }

    /// A client of the same cluster that shares nothing with this one, and runs elsewhere.
    #[must_use]
    pub fn on(&self, runtime: Runtime) -> Client {
        let Shared { connector, settings, .. } = &*self.shared;
        Client::new(runtime, Arc::clone(connector), settings.clone())
    }

    /// Sends a request to a broker, once.
    pub async fn call<R: Request>(&self, node: NodeId, request: &R) -> Result<R::Response, ClientError> {
        Ok(self.connection(node).await?.call(request).await?)
    }

    /// Sends a request to any broker that answers, once.
    pub async fn call_any<R: Request>(&self, request: &R) -> Result<R::Response, ClientError> {
        Ok(self.any_connection().await?.call(request).await?)
    }

    /// A connection to a broker that metadata names.
    pub async fn connection(&self, node: NodeId) -> Result<Connection, ClientError> {
        let address = self.address(node).await?;
        self.connect(&address).await
    }

    async fn address(&self, node: NodeId) -> Result<Address, ClientError> {
        let known = self.cluster().address(node).cloned();
        if let Some(address) = known {
            return Ok(address);
        }
        self.refresh(&[]).await?;
        self.cluster().address(node).cloned().ok_or(ClientError::UnknownBroker(node.0))
    }

    /// A connection to a broker that nobody else uses, for requests that the broker sits on: answers come in order.
    pub async fn dedicated(&self, node: NodeId) -> Result<Connection, ClientError> {
        let address = self.address(node).await?;
        self.open(&address).await
    }

    /// A connection to whichever broker answers first in order: known ones, then the bootstrap addresses.
    pub async fn any_connection(&self) -> Result<Connection, ClientError> {
        let mut addresses: Vec<Address> = self.cluster().addresses().cloned().collect();
        addresses.extend(self.shared.settings.bootstrap.iter().cloned());
        let mut last = ClientError::NoBroker;
        for address in &addresses {
            match self.connect(address).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Asks for these topics' metadata and returns the answer; what it says is used from here on.
    pub async fn refresh(&self, topics: &[&str]) -> Result<MetadataResponse, ClientError> {
        let named = topics.iter().map(|name| MetadataRequestTopic {
            name: Some(Text::from(*name)),
            ..MetadataRequestTopic::default()
        });
        let request = MetadataRequest {
            topics: Some(named.collect()),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let response = self.call_any(&request).await?;
        ClientError::check(response.error_code, None)?;
        self.cluster().learn(&response);
        Ok(response)
    }

    /// A topic with its partitions' leaders, asked for if it is not known yet.
    pub async fn topic(&self, name: &str) -> Result<Arc<Topic>, ClientError> {
        if let Some(known) = self.cluster().topic(name) {
            return Ok(Arc::clone(known));
        }
        let response = self.refresh(&[name]).await?;
        let described = response.topics.iter().find(|topic| topic.name.as_deref() == Some(name));
        let described = described.ok_or(ClientError::Incomplete("the topic"))?;
        ClientError::check(described.error_code, None)?;
        Ok(Arc::new(Topic::from(described)))
    }

    /// A topic, asked for again while brokers cannot say.
    pub async fn topic_when_known(&self, name: &str) -> Result<Arc<Topic>, ClientError> {
        let mut retry = self.retry();
        let mut unknown = 0;
        loop {
            let error = match self.topic(name).await {
                Ok(topic) => return Ok(topic),
                Err(error) => error,
            };
            if error.code() == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) {
                unknown += 1;
                if unknown == UNKNOWN_TOPIC_TRIES {
                    return Err(error);
                }
            }
            retry.after(error, Some(name)).await?;
        }
    }

    /// Who leads a partition; the topic is asked for again if nobody did when it was last seen.
    pub async fn leader(
        &self,
        topic: &str,
        partition: PartitionIndex,
    ) -> Result<(Arc<Topic>, Leader), ClientError> {
        let known = self.topic(topic).await?;
        if let Some(leader) = known.leaders.get(&partition).copied() {
            return Ok((known, leader));
        }
        self.forget(topic);
        let fresh = self.topic(topic).await?;
        match fresh.leaders.get(&partition).copied() {
            Some(leader) => Ok((fresh, leader)),
            None => Err(ClientError::NoLeader { topic: topic.to_owned(), partition: partition.0 }),
        }
    }

    /// Asks for the topic again when it is next needed.
    pub fn forget(&self, topic: &str) {
        self.cluster().forget(topic);
    }

    /// The names of topics by id; those that are gone are not in the answer.
    pub async fn topic_names(&self, ids: &[TopicId]) -> Result<BTreeMap<TopicId, Text>, ClientError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let asked = ids.iter().map(|id| MetadataRequestTopic { topic_id: id.0, name: None });
        let request = MetadataRequest {
            topics: Some(asked.collect()),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let response = self.call_any(&request).await?;
        ClientError::check(response.error_code, None)?;
        self.cluster().learn(&response);
        let known = response.topics.iter().filter(|topic| topic.error_code.is_none());
        Ok(known
            .filter_map(|topic| Some((TopicId(topic.topic_id), topic.name.as_ref()?.detached())))
            .collect())
    }

    /// Takes in where brokers listen: id, host and port.
    pub(crate) fn learn_brokers<'a>(&self, endpoints: impl IntoIterator<Item = (i32, &'a str, i32)>) {
        self.cluster().learn_brokers(endpoints.into_iter());
    }

    /// Takes in what a broker said of a partition's leader beside an error.
    pub(crate) fn learn_leader<'a>(
        &self,
        topic: &str,
        partition: PartitionIndex,
        leader: Leader,
        endpoints: impl Iterator<Item = (i32, &'a str, i32)>,
    ) {
        self.cluster().learn_leader(topic, partition, leader, endpoints);
    }

    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.shared.runtime
    }

    /// The controller as metadata shows it, else any broker.
    pub(crate) async fn controller(&self) -> Result<Connection, ClientError> {
        let known = self.cluster().controller();
        match known {
            Some(node) => self.connection(node).await,
            None => self.any_connection().await,
        }
    }

    /// Tries an operation for as long as the settings say.
    pub(crate) fn retry(&self) -> Retry<'_> {
        let deadline = self.shared.runtime.now().monotonic.plus(self.shared.settings.retry_for);
        Retry { client: self, deadline, backoff: Backoff::new(BACKOFF_FIRST, BACKOFF_LIMIT) }
    }

    async fn connect(&self, address: &Address) -> Result<Connection, ClientError> {
        let slot = Arc::clone(self.slots().entry(address.clone()).or_default());
        let mut slot = slot.lock().await;
        if let Some(open) = slot.as_ref().filter(|connection| connection.is_usable()) {
            return Ok(open.clone());
        }
        let opened = self.open(address).await?;
        Ok(slot.insert(opened).clone())
    }

    async fn open(&self, address: &Address) -> Result<Connection, ClientError> {
        let Shared { runtime, connector, settings, .. } = &*self.shared;
        Ok(Connection::open(runtime, &**connector, address, &settings.connection).await?)
    }

    pub(crate) fn coordinators(&self) -> MutexGuard<'_, Coordinators> {
        self.shared.coordinators.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.shared.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<Address, Slot>> {
        self.shared.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Retry<'_> {
    /// Returns once it is time for another try of something about `topic`, or the error if there is none.
    pub(crate) async fn after(&mut self, error: ClientError, topic: Option<&str>) -> Result<(), ClientError> {
        let runtime = &self.client.shared.runtime;
        let wait = self.backoff.draw(runtime.random_u64());
        if !error.retriable() || runtime.now().monotonic.plus(wait) > self.deadline {
            return Err(error);
        }
        if let Some(topic) = topic {
            self.client.forget(topic);
        }
        if error.code() == Some(ErrorCode::NOT_CONTROLLER) {
            // Only what metadata says of the controller matters; if the question fails, so will the next try.
            let _ = self.client.refresh(&[]).await;
        }
        runtime.sleep(wait).await;
        Ok(())
    }
}
