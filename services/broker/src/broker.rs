//! `Broker`: everything a request can touch.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aquifer_coordinator::Coordinator;
use aquifer_disk::DirectoryLock;
use aquifer_hotlog::format::CleanFile;
use aquifer_hotlog::{Directory, Health};
use aquifer_metadata::{Answer, BrokerRun, Change, Image};
use aquifer_quorum::{ProposeError, Quorum};
use aquifer_replica::Replica;
use aquifer_runtime::{Runtime, Shutdown};
use aquifer_types::{BrokerEpoch, ClusterId, DirectoryId, TopicPartition};
use aquifer_wire::ErrorCode;
use tokio::sync::{Semaphore, watch};

use crate::api::data::FetchSessions;
use crate::cleaner::CleaningTotals;
use crate::producers::ProducerIds;
use crate::refusal::Refused;
use crate::replicas::Replicas;
use crate::settings::Settings;
use crate::tier::Tier;

/// One broker.
#[derive(Debug)]
pub struct Broker {
    pub(crate) run: BrokerRun,
    pub(crate) cluster: ClusterId,
    /// Which life of the cluster this is.
    pub(crate) incarnation: u16,
    pub(crate) directory_id: DirectoryId,
    pub(crate) settings: Settings,
    pub(crate) runtime: Runtime,
    pub(crate) quorum: Arc<Quorum>,
    pub(crate) directory: Directory,
    pub(crate) replicas: Replicas,
    pub(crate) coordinator: Coordinator,
    /// Where sealed ranges go, if anywhere.
    pub(crate) tier: Option<Arc<Tier>>,
    pub(crate) producer_ids: ProducerIds,
    pub(crate) fetch_sessions: FetchSessions,
    /// Held by who may unpack a stored batch: a small one may unpack to very much.
    pub(crate) unpacking: Semaphore,
    pub(crate) cleanings: Mutex<CleaningTotals>,
    /// Up to which command of the metadata log the replicas are what it says.
    pub(crate) followed: watch::Sender<u64>,
    pub(crate) stop: Shutdown,
    /// Keeps other processes out of the data directory for as long as the broker lives.
    pub(crate) _lock: Box<dyn DirectoryLock>,
}

impl Broker {
    /// How long an answer waits for replicas to become what was just decided.
    const FOLLOW_TIMEOUT: Duration = Duration::from_secs(5);

    /// The epoch of this run.
    #[must_use]
    pub fn epoch(&self) -> BrokerEpoch {
        self.run.epoch
    }

    #[must_use]
    pub fn image(&self) -> Image {
        self.quorum.image()
    }

    #[must_use]
    pub fn health(&self) -> Health {
        self.directory.health()
    }

    /// Why nothing is produced here though the disk is sound, if that is so.
    #[must_use]
    pub fn superseded(&self) -> Option<String> {
        let newer = self.successor()?;
        Some(format!("the cluster was restored elsewhere from its tier, as incarnation {newer}"))
    }

    /// Whether this shows what another cluster has in its tier, and changes nothing.
    pub(crate) fn is_mount(&self) -> bool {
        self.tier.as_ref().is_some_and(|tier| tier.settings.is_read_only)
    }

    /// Why nothing is taken from producers though the disk is sound, if that is so.
    pub(crate) fn refusal(&self) -> Option<Refused> {
        if self.is_mount() {
            return Some(Refused::from(&ProposeError::Sealed));
        }
        // Clients try again, and with another address for the cluster they succeed.
        self.superseded().map(|why| Refused::new(ErrorCode::KAFKA_STORAGE_ERROR, why))
    }

    pub(crate) fn replica(&self, id: TopicPartition) -> Option<Arc<Replica>> {
        self.replicas.get(id)
    }

    /// Has a change agreed on, and returns once this broker acts on it.
    pub(crate) async fn decide(&self, change: Change) -> Result<Answer, ProposeError> {
        let (index, answer) = self.quorum.propose(change).await?;
        let mut followed = self.followed.subscribe();
        let caught_up = followed.wait_for(|followed| *followed >= index);
        if self.runtime.timeout(Self::FOLLOW_TIMEOUT, caught_up).await.is_none() {
            tracing::warn!(index, "the replicas are slow to follow the metadata");
        }
        Ok(answer)
    }

    /// Stops taking part: everything is flushed, and the directory is left so that nothing need be recovered.
    pub async fn close(&self) {
        self.stop.give();
        self.coordinator.stop();
        let ends = || {
            let mut clean = CleanFile { broker_epoch: self.run.epoch, partitions: Vec::new() };
            let mut producers = Vec::new();
            for replica in self.replicas.all() {
                let (partition, known) = replica.ends()?;
                if !known.is_empty() {
                    let file = aquifer_hotlog::format::ProducersFile { end: partition.end, producers: known };
                    producers.push((partition.id, file));
                }
                clean.partitions.push(partition);
            }
            Some((clean, producers))
        };
        if let Err(error) = self.directory.close(&self.runtime, ends).await {
            tracing::error!(%error, "the data directory is not closed cleanly: the next start recovers it");
        }
    }
}
