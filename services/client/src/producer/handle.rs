//! `Producer`: the door through which records are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aquifer_record::BuildError;
use aquifer_types::NodeId;
use aquifer_wire::Text;
use tokio::sync::{Notify, OnceCell, Semaphore, SemaphorePermit};

use super::core::{Core, Queued, Unqueued};
use super::delivery::Delivery;
use super::lane::Lane;
use super::record::Outgoing;
use super::router::route;
use super::settings::ProducerSettings;
use crate::client::Client;
use crate::error::ClientError;

const PACKING_MAX: usize = 2;

/// Sends records. Clones share everything; what they have not flushed is lost with the last of them.
#[derive(Clone)]
pub struct Producer {
    handle: Arc<Handle>,
}

/// Ends the producer's tasks when nobody can send any more.
struct Handle {
    shared: Arc<Shared>,
}

/// What the producer's tasks have in common.
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) settings: ProducerSettings,
    pub(crate) router: Notify,
    core: Mutex<Core>,
    lanes: Mutex<BTreeMap<NodeId, Arc<Notify>>>,
    room: Semaphore,
    /// How many lanes may take a processor for compression at a time.
    pub(crate) packing: Semaphore,
    identified: OnceCell<()>,
}

/// A record was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("find the topic's partitions")]
    Topic(#[source] ClientError),
    #[error("ask for a producer id")]
    Identity(#[source] ClientError),
    #[error("the topic has {partitions} partitions, and no partition {partition}")]
    NoSuchPartition { partition: i32, partitions: usize },
    #[error("the record fits into no batch")]
    Unpackable(#[source] BuildError),
    #[error("the producer is closed")]
    Closed,
}

impl Producer {
    #[must_use]
    pub fn new(client: Client, settings: ProducerSettings) -> Producer {
        let runtime = client.runtime().clone();
        let shared = Arc::new(Shared {
            core: Mutex::new(Core::new(&settings)),
            room: Semaphore::new(settings.buffer_bytes_max.min(Semaphore::MAX_PERMITS)),
            client,
            settings,
            router: Notify::new(),
            lanes: Mutex::default(),
            identified: OnceCell::new(),
            packing: Semaphore::new(PACKING_MAX),
        });
        runtime.spawn("producer router", route(Arc::clone(&shared)));
        Producer { handle: Arc::new(Handle { shared }) }
    }

    /// Takes a record into a batch, once there is room for it. Records of a partition keep the order of these calls.
    pub async fn send(&self, record: Outgoing<'_>) -> Result<Delivery, SendError> {
        let queued = self.queue(&record).await?;
        if let Some(look) = queued.look {
            Shared::look(&self.handle.shared, look);
        }
        Ok(queued.delivery)
    }

    async fn queue(&self, record: &Outgoing<'_>) -> Result<Queued, SendError> {
        let shared = &self.handle.shared;
        if shared.settings.idempotent && !shared.identified.initialized() {
            shared.identified.get_or_try_init(|| shared.identify()).await.map_err(SendError::Identity)?;
        }
        let bytes = record.bytes_max();
        // A record larger than the buffer goes alone.
        let claim = bytes.min(shared.settings.buffer_bytes_max);
        let claimed = shared.claim(u32::try_from(claim).unwrap_or(u32::MAX)).await?;
        let queued = loop {
            let runtime = shared.client.runtime();
            let pushed = shared.core().push(record, claim, runtime.now(), || runtime.random_u64());
            match pushed {
                Ok(queued) => break queued,
                Err(Unqueued::UnknownTopic) => {
                    shared.learn(record.topic).await.map_err(SendError::Topic)?;
                }
                Err(Unqueued::Refused(error)) => return Err(error),
            }
        };
        // The batch holds it from here on.
        claimed.forget();
        Ok(queued)
    }

    /// Takes records one after another, and has nobody look before the last stands in its batch: those that came
    /// together leave together.
    pub async fn send_all(&self, records: &[Outgoing<'_>]) -> Vec<Result<Delivery, SendError>> {
        if let Some(taken) = self.send_all_now(records) {
            return taken;
        }
        let shared = &self.handle.shared;
        let mut taken = Vec::with_capacity(records.len());
        let mut looks = BTreeSet::new();
        for record in records {
            let queued = self.queue(record).await;
            taken.push(queued.map(|queued| {
                looks.extend(queued.look);
                queued.delivery
            }));
        }
        looks.into_iter().for_each(|look| Shared::look(shared, look));
        taken
    }

    /// The same for records of one topic, by who does not wait: nothing is taken where there is no room for all of it, or
    /// where something has to be asked of brokers first.
    pub fn send_all_now(&self, records: &[Outgoing<'_>]) -> Option<Vec<Result<Delivery, SendError>>> {
        let shared = &self.handle.shared;
        if shared.settings.idempotent && !shared.identified.initialized() {
            return None;
        }
        let bytes = u32::try_from(records.iter().map(Outgoing::bytes_max).sum::<usize>()).ok()?;
        let claimed = shared.room.try_acquire_many(bytes).ok()?;
        let runtime = shared.client.runtime();
        let pushed = shared.core().push_all(records, runtime.now(), || runtime.random_u64())?;
        let (mut taken, mut unused) = (Vec::with_capacity(records.len()), 0);
        let mut looks = BTreeSet::new();
        for (pushed, record) in pushed.into_iter().zip(records) {
            match &pushed {
                Ok(queued) => looks.extend(queued.look),
                Err(_) => unused += record.bytes_max(),
            }
            taken.push(pushed.map(|queued| queued.delivery));
        }
        // The batches hold it from here on.
        claimed.forget();
        shared.give_back(unused);
        looks.into_iter().for_each(|look| Shared::look(shared, look));
        Some(taken)
    }

    /// Waits until everything sent before is settled, one way or the other; each delivery says which.
    pub async fn flush(&self) {
        let shared = &self.handle.shared;
        let unsettled = shared.core().flush();
        shared.wake_all();
        for outcome in unsettled {
            // Each record's own delivery tells of failure.
            let _ = outcome.wait().await;
        }
    }

    /// Flushes, and takes no further record.
    pub async fn close(&self) {
        self.flush().await;
        self.handle.shared.close();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.room.add_permits(bytes);
    }

    /// Has `node`'s lane look, which starts with its first record.
    pub(crate) fn wake(shared: &Arc<Shared>, node: NodeId) {
        let mut lanes = shared.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let woken = lanes.entry(node).or_insert_with(|| {
            let woken = Arc::new(Notify::new());
            let lane = Lane::new(Arc::clone(shared), node, Arc::clone(&woken));
            shared.client.runtime().spawn("producer lane", lane.run());
            woken
        });
        woken.notify_one();
    }

    /// Has whoever is named look: a leader's lane, or the router where there is no leader.
    fn look(shared: &Arc<Shared>, look: Option<NodeId>) {
        match look {
            Some(node) => Shared::wake(shared, node),
            None => shared.router.notify_one(),
        }
    }

    pub(crate) fn wake_all(&self) {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).values().for_each(|lane| lane.notify_one());
        self.router.notify_one();
    }

    /// Waits for room. Batches that wait for more records are sent meanwhile: nobody can add any.
    async fn claim(&self, bytes: u32) -> Result<SemaphorePermit<'_>, SendError> {
        if let Ok(claimed) = self.room.try_acquire_many(bytes) {
            return Ok(claimed);
        }
        self.core().seal();
        self.wake_all();
        self.room.acquire_many(bytes).await.map_err(|_closed| SendError::Closed)
    }

    async fn identify(&self) -> Result<(), ClientError> {
        let identity = self.client.producer_identity().await?;
        self.core().identify(identity);
        Ok(())
    }

    async fn learn(&self, topic: &str) -> Result<(), ClientError> {
        let known = self.client.topic_when_known(topic).await?;
        self.core().learn(&Text::from(topic), &known);
        Ok(())
    }

    fn close(&self) {
        let freed = {
            let mut core = self.core();
            core.close();
            core.freed()
        };
        self.give_back(freed);
        self.room.close();
        self.wake_all();
    }
}
