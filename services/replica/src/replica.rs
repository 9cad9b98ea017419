//! `Replica`: the lock, and what is done under it.

use std::sync::{Arc, Mutex, MutexGuard, Weak};

use aquifer_hotlog::{Command, Directory, Log, LogHandle, Recovered, Sink};
use aquifer_partition::{Core, Durability, Effect, Follow, Input, Lead, Marks};
use aquifer_record::ProducerState;
use aquifer_runtime::Runtime;
use aquifer_types::{FencingToken, LeaderEpoch, NodeId, Offset, TimestampMs, TopicPartition};
use tokio::sync::oneshot;

use crate::append::AppendOutcome;
use crate::config::ReplicaConfig;
use crate::waiting::{Appends, Readers, Waiter};

/// The replica serves nothing: its directory failed, or its log is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this replica is offline: its data directory failed or its log is damaged")]
pub struct Offline;

/// One replica of one partition.
#[derive(Debug)]
pub struct Replica {
    pub(crate) id: TopicPartition,
    pub(crate) handle: Arc<LogHandle>,
    pub(crate) directory: Directory,
    pub(crate) runtime: Runtime,
    state: Mutex<State>,
}

/// Everything the lock guards. The lock is taken before the directory's queue and never together with another
/// replica's; nothing under it waits.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) core: Core,
    pub(crate) log: Log,
    pub(crate) config: ReplicaConfig,
    pub(crate) appends: Appends,
    pub(crate) readers: Readers,
    /// Who waits for the log to start at an offset or later.
    pub(crate) starts: Vec<(Offset, oneshot::Sender<Offset>)>,
    pub(crate) effects: Vec<Effect>,
    /// A dropped partition's files are gone or going: nothing more is queued.
    pub(crate) dropped: bool,
}

/// What others must hear once the lock is released.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) appends: Vec<(oneshot::Sender<AppendOutcome>, AppendOutcome)>,
    pub(crate) readers: Vec<Weak<Waiter>>,
    pub(crate) starts: Vec<(oneshot::Sender<Offset>, Offset)>,
}

/// What can be said of a replica at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    pub log_start: Offset,
    /// Below this only the tier has the log.
    pub local_start: Offset,
    pub last_stable_offset: Offset,
    pub high_watermark: Offset,
    pub log_end: Offset,
    pub bytes: u64,
    pub leads_in: Option<LeaderEpoch>,
    /// What appends that carry a token are compared with.
    pub fence: Option<FencingToken>,
}

impl Replica {
    /// A replica over a log that recovery found or that is new. It serves nothing until it is told its role.
    #[must_use]
    pub fn new(
        node: NodeId,
        recovered: Recovered,
        producers: Vec<ProducerState>,
        config: ReplicaConfig,
        surroundings: (&Directory, &Runtime),
    ) -> Arc<Replica> {
        let (directory, runtime) = surroundings;
        let Recovered { log, handle, verdict } = recovered;
        let found = aquifer_partition::Recovered {
            log_start: log.log_start(),
            log_end: log.end(),
            durability: config.durability,
        };
        let mut core = Core::new(node, found, aquifer_partition::Settings::default());
        core.restore_producers(producers);
        let mut state = State {
            core,
            log,
            config,
            appends: Appends::default(),
            readers: Readers::default(),
            starts: Vec::new(),
            effects: Vec::new(),
            dropped: false,
        };
        if matches!(verdict, aquifer_hotlog::Verdict::Corrupt | aquifer_hotlog::Verdict::Missing) {
            tracing::error!(partition = %handle.id, ?verdict, "replica quarantined: what was durable is damaged or gone");
            state.core.step(TimestampMs::NONE, Input::GoOffline, &mut state.effects);
        }
        let replica = Arc::new(Replica {
            id: handle.id,
            handle: handle.clone(),
            directory: directory.clone(),
            runtime: runtime.clone(),
            state: Mutex::new(state),
        });
        let sink: Weak<dyn Sink> = Arc::downgrade(&(replica.clone() as Arc<dyn Sink>));
        handle.connect(sink);
        replica
    }

    #[must_use]
    pub fn id(&self) -> TopicPartition {
        self.id
    }

    /// The quorum's word on who leads.
    pub fn lead(&self, lead: Lead) {
        self.step(Input::Lead(lead));
    }

    /// The quorum's word on the partition's fencing token.
    pub fn set_fence(&self, token: Option<FencingToken>) {
        self.step(Input::Fence(token));
    }

    pub fn follow(&self, follow: Follow) {
        self.step(Input::Follow(follow));
    }

    /// The topic's settings changed.
    pub fn configure(&self, config: ReplicaConfig) {
        let mut outcomes = Outcomes::default();
        {
            let mut state = self.state();
            let changed = state.config.durability != config.durability;
            state.config = config;
            if changed {
                self.apply(&mut state, Input::SetDurability(config.durability), &mut outcomes);
            }
        }
        self.finish(outcomes);
        self.directory.nudge();
    }

    #[must_use]
    pub fn describe(&self) -> Description {
        let state = self.state();
        let marks = state.core.marks();
        Description {
            log_start: marks.log_start(),
            local_start: marks.local_start(),
            last_stable_offset: marks.last_stable_offset(),
            high_watermark: marks.high_watermark(),
            log_end: marks.log_end(),
            bytes: state.log.bytes(),
            leads_in: state.core.role().leads_in(),
            fence: state.core.fence(),
        }
    }

    /// Producers that are known, in the order of their ids.
    #[must_use]
    pub fn producers(&self) -> Vec<ProducerState> {
        self.state().core.producers().copied().collect()
    }

    /// What a clean shutdown records of this replica. Of one that is offline nothing can be said that a start could
    /// trust without looking.
    #[must_use]
    pub fn ends(&self) -> Option<(aquifer_hotlog::format::CleanPartition, Vec<ProducerState>)> {
        let state = self.state();
        let offline = *state.core.role() == aquifer_partition::Role::Offline;
        (!offline && !state.dropped)
            .then(|| (state.log.to_clean(), state.core.producers().copied().collect()))
    }

    /// The partition was deleted: nothing is served any more, and the files go.
    pub fn delete(&self) {
        let mut outcomes = Outcomes::default();
        {
            let mut state = self.state();
            if state.dropped {
                return;
            }
            state.dropped = true;
            self.apply(&mut state, Input::GoOffline, &mut outcomes);
            self.directory.enqueue(Command::Drop { log: self.handle.clone() });
        }
        self.finish(outcomes);
        self.directory.nudge();
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        match self.state.lock() {
            Ok(state) => state,
            Err(poisoned) => {
                // A violated assertion fences this replica and no other.
                tracing::error!(partition = %self.id, "the replica's core failed: it goes offline");
                self.state.clear_poison();
                let mut state = poisoned.into_inner();
                let mut effects = Vec::new();
                state.core.step(TimestampMs::NONE, Input::GoOffline, &mut effects);
                // Whoever waits is told by the channel's end.
                state.appends = Appends::default();
                state.starts.clear();
                state
            }
        }
    }

    /// Takes one input that appends nothing.
    pub(crate) fn step(&self, input: Input) {
        let mut outcomes = Outcomes::default();
        self.apply(&mut self.state(), input, &mut outcomes);
        self.finish(outcomes);
    }

    pub(crate) fn apply(&self, state: &mut State, input: Input, outcomes: &mut Outcomes) {
        let mut effects = std::mem::take(&mut state.effects);
        state.core.step(self.runtime.now().wall, input, &mut effects);
        for effect in effects.drain(..) {
            assert!(!matches!(effect, Effect::Append { .. }), "only an append appends");
            self.carry_out(state, effect, outcomes);
        }
        state.effects = effects;
    }

    /// Tells whoever waited, with no lock held.
    pub(crate) fn finish(&self, outcomes: Outcomes) {
        for (sender, outcome) in outcomes.appends {
            // Nobody waits any more where the connection went away.
            let _ = sender.send(outcome);
        }
        for (sender, log_start) in outcomes.starts {
            let _ = sender.send(log_start);
        }
        for reader in outcomes.readers {
            if let Some(waiter) = reader.upgrade() {
                waiter.wake();
            }
        }
    }

    pub(crate) fn sync_all(&self, state: &State, upto: Offset) {
        let segments = state.log.segments().iter().map(|segment| segment.file.clone()).collect();
        self.directory.enqueue(Command::Sync { log: self.handle.clone(), upto, segments });
    }

    pub(crate) fn carry_out(&self, state: &mut State, effect: Effect, outcomes: &mut Outcomes) {
        match effect {
            Effect::Append { .. } => {}
            Effect::Acknowledge(acknowledgement) => {
                if let Some(sender) = state.appends.take(acknowledgement.ticket) {
                    outcomes.appends.push((sender, Ok(acknowledgement)));
                }
            }
            Effect::Refuse { ticket, refusal } => {
                if let Some(sender) = state.appends.take(ticket) {
                    outcomes.appends.push((sender, Err(refusal)));
                }
            }
            Effect::Wake { high_watermark } => {
                state.log.show(high_watermark);
                outcomes.readers.append(&mut state.readers.take());
            }
            Effect::LogStartMoved { log_start } => {
                let (done, waiting) = std::mem::take(&mut state.starts)
                    .into_iter()
                    .partition::<Vec<_>, _>(|(wanted, _)| *wanted <= log_start);
                state.starts = waiting;
                outcomes.starts.extend(done.into_iter().map(|(_, sender)| (sender, log_start)));
                outcomes.readers.append(&mut state.readers.take());
            }
            // Queued before whatever is appended from now on: a later flush must not vouch for bytes that only the
            // page cache holds.
            Effect::Flush { upto } => self.sync_all(state, upto),
            Effect::DurabilityHolds(durability) => {
                tracing::info!(partition = %self.id, ?durability, "durability holds for every record");
            }
        }
    }
}

impl State {
    pub(crate) fn marks(&self) -> &Marks {
        self.core.marks()
    }

    /// Whether a batch appended now must reach the write-ahead log.
    pub(crate) fn is_flushed(&self) -> bool {
        self.config.durability == Durability::Flushed
    }
}
