//! `Quorum`: the metadata of the cluster, agreed on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aquifer_disk::Disk;
use aquifer_metadata::{
    Answer, Change, Command, Image, InitCluster, METADATA_LEVEL, ProducerPrefix, encode_command,
};
use aquifer_runtime::{Runtime, Task};
use aquifer_types::{ClusterId, NodeId};
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::{BasicNode, Config, Raft, SnapshotPolicy};
use tokio::sync::watch;

use crate::error::{ProposeError, StartError, StopError};
use crate::feed::Subscription;
use crate::log::{LogStore, wal_settings};
use crate::machine::Machine;
use crate::network::NoNetwork;
use crate::settings::{Beginning, COMMAND_BYTES_MAX, Settings};
use crate::snapshot::SnapshotFiles;
use crate::types::{LogId, Proposal, Types};

/// Proposals are refused while more of the log's files is needed than this, in parts of a thousand.
const FULLNESS_MAX: u64 = 250;

/// Where the quorum stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    pub term: u64,
    pub leader: Option<NodeId>,
    pub last_log: Option<u64>,
    pub committed: Option<u64>,
    pub applied: Option<u64>,
    pub snapshot: Option<u64>,
    pub purged: Option<u64>,
}

/// A running member of the quorum.
#[derive(Debug)]
pub struct Quorum {
    raft: Raft<Types, Machine>,
    log: LogStore,
    machine: Machine,
    runtime: Runtime,
    propose_timeout: Duration,
    is_sealed: AtomicBool,
    keeper: Task<()>,
}

impl Quorum {
    /// Opens log and snapshots, leads, and returns once all that was committed before is applied.
    pub async fn start(
        settings: Settings,
        disk: Arc<dyn Disk>,
        runtime: Runtime,
    ) -> Result<Quorum, StartError> {
        let node = u64::try_from(settings.node.0).map_err(|_negative| StartError::NodeId(settings.node.0))?;
        let opening = runtime.spawn_blocking("open-raft-log", {
            let (settings, runtime) = (settings.clone(), runtime.clone());
            move || open(&settings, disk, &runtime)
        });
        let (log, machine, files) =
            opening.await.ok_or_else(|| StartError::Stopped("opening the log panicked".to_owned()))??;
        let config = Arc::new(config(&settings));
        let raft = Raft::new(node, config, NoNetwork, log.clone(), machine.clone()).await.map_err(stopped)?;
        let keeper =
            runtime.spawn("raft-log-keeper", keep(raft.clone(), log.clone(), files, settings.clone()));
        let propose_timeout = settings.propose_timeout;
        let is_sealed = AtomicBool::new(false);
        let quorum = Quorum { raft, log, machine, runtime, propose_timeout, is_sealed, keeper };
        match quorum.lead(node, &settings).await {
            Ok(()) => Ok(quorum),
            Err(error) => {
                // The first error is the one to tell.
                let _stopped_badly = quorum.shutdown().await;
                Err(error)
            }
        }
    }

    /// Makes the cluster if it is new, is elected, and catches up.
    async fn lead(&self, node: u64, settings: &Settings) -> Result<(), StartError> {
        if self.raft.is_initialized().await.map_err(stopped)? {
            // A sole voter has nobody to wait for.
            self.raft.trigger().elect(false).await.map_err(stopped)?;
        } else {
            let members = BTreeMap::from([(node, BasicNode::new(""))]);
            self.raft.initialize(members).await.map_err(stopped)?;
        }
        let limit = Some(settings.start_timeout);
        let leads = self.raft.wait(limit).current_leader(node, "lead").await;
        leads.map_err(|_timeout| StartError::NoLeader)?;
        self.raft.wait_for_recovery(limit).await.map_err(|_timeout| StartError::NoLeader)?;
        if let Beginning::New { cluster } = settings.beginning
            && self.image().cluster().is_none()
        {
            self.init_cluster(cluster).await?;
        }
        Ok(())
    }

    async fn init_cluster(&self, cluster: ClusterId) -> Result<(), StartError> {
        let producer_prefix = self.random_prefix();
        let init = Change::InitCluster(InitCluster { cluster, producer_prefix, level: METADATA_LEVEL });
        self.propose(init).await.map(|_| ()).map_err(StartError::Initialize)
    }

    /// A prefix for producer ids, as commands carry it.
    #[must_use]
    pub fn random_prefix(&self) -> ProducerPrefix {
        loop {
            // The lower half of the draw is as random as all of it.
            if let Some(prefix) = ProducerPrefix::from_random(self.runtime.random_u64() as u32) {
                return prefix;
            }
        }
    }

    /// From now on nothing is changed any more.
    pub fn seal(&self) {
        self.is_sealed.store(true, Ordering::Relaxed);
    }

    /// Has a change agreed on and applied; returns its index and what applying it said. The image has it by then.
    pub async fn propose(&self, change: Change) -> Result<(u64, Answer), ProposeError> {
        if self.is_sealed.load(Ordering::Relaxed) {
            return Err(ProposeError::Sealed);
        }
        let command = Command { time: self.runtime.now().wall, change };
        let mut bytes = Vec::new();
        encode_command(&command, &mut bytes);
        if bytes.len() > COMMAND_BYTES_MAX {
            return Err(ProposeError::TooLarge { bytes: bytes.len(), max: COMMAND_BYTES_MAX });
        }
        if self.log.fullness() > FULLNESS_MAX {
            return Err(ProposeError::Busy);
        }
        let proposal = Proposal { command: Arc::new(command), bytes: bytes.into() };
        let written = self.runtime.timeout(self.propose_timeout, self.raft.client_write(proposal)).await;
        match written {
            None => Err(ProposeError::Unknown),
            Some(Ok(response)) => {
                let answer = response.data.0.ok_or(ProposeError::Unknown)?;
                Ok((response.log_id.index, answer))
            }
            Some(Err(RaftError::Fatal(_))) => Err(ProposeError::Stopped),
            Some(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_)))) => {
                Err(ProposeError::NotLeader)
            }
            Some(Err(RaftError::APIError(_))) => Err(ProposeError::Unknown),
        }
    }

    /// The newest image.
    #[must_use]
    pub fn image(&self) -> Image {
        self.machine.feed().image()
    }

    /// The newest image, and a wake-up with each newer one.
    #[must_use]
    pub fn images(&self) -> watch::Receiver<Image> {
        self.machine.feed().images()
    }

    /// Committed commands after `seen`, or an image where that is too long ago; with none an image first.
    #[must_use]
    pub fn subscribe(&self, seen: Option<u64>) -> Subscription {
        Subscription::new(Arc::clone(self.machine.feed()), seen)
    }

    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let index = |id: &Option<LogId>| id.map(|id| id.index);
        Metrics {
            term: metrics.current_term,
            leader: metrics.current_leader.and_then(|node| i32::try_from(node).ok()).map(NodeId),
            last_log: metrics.last_log_index,
            committed: index(&metrics.local_committed),
            applied: index(&metrics.last_applied),
            snapshot: index(&metrics.snapshot),
            purged: index(&metrics.purged),
        }
    }

    /// Returns once raft cannot go on, with the reason: the process must end then.
    pub async fn failed(&self) -> String {
        let mut metrics = self.raft.metrics();
        loop {
            if let Err(fatal) = &metrics.borrow_watched().running_state {
                return fatal.to_string();
            }
            if metrics.changed().await.is_err() {
                return "raft stopped".to_owned();
            }
        }
    }

    /// Has a snapshot made soon.
    pub async fn make_snapshot(&self) -> Result<(), ProposeError> {
        self.raft.trigger().snapshot().await.map_err(|_fatal| ProposeError::Stopped)
    }

    /// Stops; once it returns nothing of the quorum touches the disk any more.
    pub async fn shutdown(&self) -> Result<(), StopError> {
        self.keeper.abort();
        self.machine.stop_waiting();
        let stopped = self.raft.shutdown().await;
        self.machine.finish_building().await;
        let flushed = self.log.flush().await;
        stopped.map_err(|error| StopError::Raft(error.to_string()))?;
        flushed.map_err(StopError::Flush)
    }
}

fn stopped(error: impl std::fmt::Display) -> StartError {
    StartError::Stopped(error.to_string())
}

/// Opens the files and refuses what does not fit together.
fn open(
    settings: &Settings,
    disk: Arc<dyn Disk>,
    runtime: &Runtime,
) -> Result<(LogStore, Machine, SnapshotFiles), StartError> {
    let (files, snapshot) = SnapshotFiles::open(Arc::clone(&disk), settings.folder.clone())?;
    let log = LogStore::open(disk, &settings.folder, settings.directory, wal_settings(), runtime)?;
    {
        let memory = log.memory();
        let reached = snapshot.as_ref().and_then(|snapshot| snapshot.meta.last_log_id);
        if let Some(purged) = memory.marks.purged
            && reached.is_none_or(|reached| reached.index < purged.index)
        {
            return Err(StartError::SnapshotMissing { purged: purged.index });
        }
        if let Some(hole) = memory.hole() {
            return Err(StartError::Hole(hole));
        }
        let empty = memory.marks.vote.is_none() && memory.last().is_none() && reached.is_none();
        if empty && settings.beginning == Beginning::Existing {
            return Err(StartError::LogMissing);
        }
    }
    let machine = Machine::new(files.clone(), snapshot, runtime.clone());
    Ok((log, machine, files))
}

fn config(settings: &Settings) -> Config {
    Config {
        cluster_name: "aquifer".to_owned(),
        heartbeat_interval: 100,
        election_timeout_min: 500,
        election_timeout_max: 1000,
        // A sole voter is elected when it is told to, and has nobody to send heartbeats to: it sleeps until something is proposed.
        enable_tick: false,
        enable_pre_vote: Some(true),
        enable_leader_restore: Some(false),
        allow_log_reversion: Some(false),
        snapshot_policy: SnapshotPolicy::LogsSinceLast(settings.snapshot_entries),
        // The log since the older of two snapshots is kept: the keeper purges.
        max_in_snapshot_log_to_keep: u64::MAX,
        ..Config::default()
    }
}

/// Has snapshots made when the log grows by bytes, and what is below the older of two cut off.
async fn keep(raft: Raft<Types, Machine>, log: LogStore, files: SnapshotFiles, settings: Settings) {
    let mut metrics = raft.data_metrics();
    let mut asked_at = None;
    loop {
        let (snapshot, purged) = {
            let now = metrics.borrow_watched();
            (now.snapshot.map(|id| id.index), now.purged.map(|id| id.index))
        };
        let upto = files.older_index().filter(|older| purged.is_none_or(|purged| purged < *older));
        if let Some(upto) = upto
            && raft.trigger().purge_log(upto).await.is_err()
        {
            return;
        }
        let grown = log.memory().bytes_from(snapshot.map_or(0, |index| index + 1));
        if grown > settings.snapshot_bytes && asked_at != Some(snapshot) {
            asked_at = Some(snapshot);
            if raft.trigger().snapshot().await.is_err() {
                return;
            }
        }
        if metrics.changed().await.is_err() {
            return;
        }
    }
}
