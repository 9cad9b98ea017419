//! The task of one partition: loads its shard, feeds it, appends what it decides, and answers once that is committed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aquifer_group::{Input, Reply, Resolve, Shard, Step, Ticket};
use aquifer_replica::Replica;
use aquifer_types::Offset;
use tokio::sync::{mpsc, oneshot};

use crate::append::{AppendError, Appending, append};
use crate::ask::{Message, Outcome, Unavailable};
use crate::load::{self, Loaded};
use crate::pattern;
use crate::surroundings::{Surroundings, count};
use crate::topics::{ClusterTopics, TopicsVersion};

/// How long after a failure the partition is loaded again, at first and at most.
const RELOAD_AFTER: Duration = Duration::from_millis(100);
const RELOAD_AFTER_MAX: Duration = Duration::from_secs(10);
/// While the disk is full nothing is due: who cannot be told of anything is not removed for silence either.
const FULL_FOR: Duration = Duration::from_secs(1);
/// Requests that are taken before appends are looked after.
const TURN: usize = 64;

/// Serves one partition until its sender is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    surroundings: Surroundings,
    topics_version: Arc<TopicsVersion>,
    replica: Arc<Replica>,
    messages: mpsc::UnboundedReceiver<Message>,
    /// For the tasks that resolve patterns; does not keep the server going.
    sender: mpsc::WeakUnboundedSender<Message>,
    /// What came while the shard was loaded and asks nothing.
    kept: Vec<Message>,
}

/// Why a shard is served no longer.
enum End {
    /// This broker leads the partition no longer, or stops.
    Resigned,
    /// What the shard decided is not what the log holds.
    Lost(AppendError),
}

/// A loaded shard at work.
struct Serving {
    shard: Shard,
    waiting: BTreeMap<Ticket, oneshot::Sender<Outcome>>,
    last_ticket: u64,
    appending: VecDeque<Appending>,
    since_checkpoint: u64,
    /// Something was queued that the directory was not told of: a heartbeat that stores nothing wakes nobody.
    is_queued: bool,
    counted: (u64, u64),
}

impl Server {
    pub(crate) fn new(
        surroundings: Surroundings,
        topics_version: Arc<TopicsVersion>,
        replica: Arc<Replica>,
        messages: mpsc::UnboundedReceiver<Message>,
        sender: mpsc::WeakUnboundedSender<Message>,
    ) -> Server {
        Server { surroundings, topics_version, replica, messages, sender, kept: Vec::new() }
    }

    pub(crate) async fn run(mut self) {
        let mut pause = RELOAD_AFTER;
        loop {
            let Some(loaded) = self.load().await else { return };
            let mut serving = match loaded {
                Some(loaded) => self.begin(loaded),
                None => {
                    if !self.rest(pause, Unavailable::Loading).await {
                        return;
                    }
                    pause = (pause * 2).min(RELOAD_AFTER_MAX);
                    continue;
                }
            };
            let end = serving.serve(&mut self).await;
            serving.end(&self.surroundings);
            match end {
                End::Resigned => return,
                End::Lost(error) => {
                    tracing::warn!(partition = %self.replica.id(), %error, "groups are loaded anew");
                    if !self.rest(RELOAD_AFTER, Unavailable::CannotStore).await {
                        return;
                    }
                    pause = RELOAD_AFTER;
                }
            }
        }
    }

    /// Refuses everything for a while; `false` once nobody can ask any more.
    async fn rest(&mut self, pause: Duration, why: Unavailable) -> bool {
        let rested = self.surroundings.runtime.clone();
        let rested = rested.sleep(pause);
        tokio::pin!(rested);
        loop {
            tokio::select! {
                biased;
                message = self.messages.recv() => match message {
                    None => return false,
                    Some(message) => self.kept.extend(message.refuse(why)),
                },
                () = &mut rested => return true,
            }
        }
    }

    /// The state, or `None` within if it cannot be had now; `None` once nobody can ask any more.
    async fn load(&mut self) -> Option<Option<Loaded>> {
        let began = self.surroundings.runtime.now().monotonic;
        let (surroundings, replica) = (self.surroundings.clone(), self.replica.clone());
        let loading = async move { load::load(&surroundings, &replica).await };
        tokio::pin!(loading);
        let loaded = loop {
            tokio::select! {
                biased;
                message = self.messages.recv() => match message {
                    None => return None,
                    Some(message) => self.kept.extend(message.refuse(Unavailable::Loading)),
                },
                loaded = &mut loading => break loaded,
            }
        };
        let took = self.surroundings.runtime.now().monotonic.since(began);
        let id = self.replica.id();
        match loaded {
            Ok(loaded) => {
                count(&self.surroundings.counters.loads, 1);
                count(&self.surroundings.counters.loaded_bytes, loaded.tail_bytes);
                if loaded.state.skipped() > 0 {
                    tracing::warn!(partition = %id, skipped = loaded.state.skipped(), "records of unknown kinds are passed over");
                }
                tracing::debug!(partition = %id, ?took, tail_bytes = loaded.tail_bytes, "groups loaded");
                Some(Some(loaded))
            }
            Err(error) => {
                count(&self.surroundings.counters.loads_failed, 1);
                tracing::warn!(partition = %id, %error, "groups cannot be loaded yet");
                Some(None)
            }
        }
    }

    fn topics(&self) -> ClusterTopics {
        let version = self.topics_version.get();
        ClusterTopics { image: (self.surroundings.image)(), version }
    }

    fn begin(&self, loaded: Loaded) -> Serving {
        let (committed, since_checkpoint) = (loaded.state.next(), loaded.tail_bytes);
        let topics = self.topics();
        let now = self.surroundings.now();
        let settings = self.surroundings.settings.clone();
        Serving {
            shard: Shard::lead(loaded.state, committed, now, &topics, settings),
            waiting: BTreeMap::new(),
            last_ticket: 0,
            appending: VecDeque::new(),
            since_checkpoint,
            is_queued: false,
            counted: (0, 0),
        }
    }
}

impl Serving {
    async fn serve(&mut self, server: &mut Server) -> End {
        // Nobody waits for what only makes the next load shorter.
        self.checkpoint_if_due(server);
        for message in std::mem::take(&mut server.kept) {
            if let Err(error) = self.take(server, message) {
                return End::Lost(error);
            }
        }
        self.nudge(server);
        loop {
            self.count(&server.surroundings);
            let outcome = tokio::select! {
                biased;
                committed = first_committed(&mut self.appending) => self.committed(committed),
                message = server.messages.recv() => match message {
                    None => return End::Resigned,
                    Some(message) => self.take_several(server, message),
                },
                () = due(&server.surroundings, self.shard.next_deadline()) => self.tick(server),
            };
            if let Err(error) = outcome {
                return End::Lost(error);
            }
        }
    }

    fn take_several(&mut self, server: &mut Server, first: Message) -> Result<(), AppendError> {
        self.take(server, first)?;
        for _ in 1..TURN {
            let Ok(message) = server.messages.try_recv() else { break };
            self.take(server, message)?;
        }
        self.nudge(server);
        Ok(())
    }

    fn take(&mut self, server: &Server, message: Message) -> Result<(), AppendError> {
        if message.may_store() && server.surroundings.is_full() {
            // A pattern is resolved again with the next heartbeat that finds it missing.
            drop(message.refuse(Unavailable::CannotStore));
            return Ok(());
        }
        let input = match message {
            Message::Request { group, request, answer } => {
                count(&server.surroundings.counters.requests, 1);
                Input::Request { ticket: self.wait(answer), group, request }
            }
            Message::List { filter, answer } => Input::List { ticket: self.wait(answer), filter },
            Message::Export { answer } => Input::Export { ticket: self.wait(answer) },
            Message::TopicsDeleted(topics) => Input::TopicsDeleted(topics),
            Message::TopicsChanged(topics) => Input::TopicsChanged(topics),
            Message::PatternResolved { group, pattern, topics, version } => {
                Input::PatternResolved { group, pattern, topics, version }
            }
        };
        let topics = server.topics();
        let step = self.shard.handle(server.surroundings.now(), &topics, input);
        self.carry_out(server, step)
    }

    /// Has what was queued written.
    fn nudge(&mut self, server: &Server) {
        if std::mem::take(&mut self.is_queued) {
            server.surroundings.directory.nudge();
        }
    }

    fn wait(&mut self, answer: oneshot::Sender<Outcome>) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.waiting.insert(ticket, answer);
        ticket
    }

    fn tick(&mut self, server: &Server) -> Result<(), AppendError> {
        let topics = server.topics();
        let step = self.shard.tick(server.surroundings.now(), &topics);
        self.carry_out(server, step)?;
        self.nudge(server);
        Ok(())
    }

    fn carry_out(&mut self, server: &Server, step: Step) -> Result<(), AppendError> {
        let Step { base, records, replies, patterns } = step;
        if !records.is_empty() {
            let now = server.surroundings.runtime.now().wall;
            let appending = append(&server.replica, base, &records, now)?;
            count(&server.surroundings.counters.batches, 1);
            self.is_queued = true;
            self.since_checkpoint += appending.bytes;
            self.appending.push_back(appending);
            self.checkpoint_if_due(server);
        }
        self.answer(replies);
        for wanted in patterns {
            resolve(server, wanted);
        }
        Ok(())
    }

    fn checkpoint_if_due(&mut self, server: &Server) {
        if self.since_checkpoint >= server.surroundings.checkpoint_every_bytes {
            self.since_checkpoint = 0;
            let making = load::make_checkpoint(server.surroundings.clone(), server.replica.clone());
            server.surroundings.runtime.spawn("checkpoint-groups", making);
        }
    }

    fn committed(&mut self, committed: Result<Offset, AppendError>) -> Result<(), AppendError> {
        let upto = committed?;
        self.appending.pop_front();
        let replies = self.shard.commit(upto);
        self.answer(replies);
        Ok(())
    }

    fn answer(&mut self, replies: Vec<Reply>) {
        for Reply { ticket, answer } in replies {
            if let Some(sender) = self.waiting.remove(&ticket) {
                // Whoever asked may be gone.
                let _ = sender.send(Ok(answer));
            }
        }
    }

    /// Keeps the totals of all shards.
    fn count(&mut self, surroundings: &Surroundings) {
        let held = (self.shard.group_count() as u64, self.shard.bytes() as u64);
        self.tell(surroundings, held);
    }

    fn tell(&mut self, surroundings: &Surroundings, held: (u64, u64)) {
        let (groups, bytes) = std::mem::replace(&mut self.counted, held);
        if (groups, bytes) != held {
            let counters = &surroundings.counters;
            counters.groups.fetch_add(held.0.wrapping_sub(groups), Ordering::Relaxed);
            counters.bytes.fetch_add(held.1.wrapping_sub(bytes), Ordering::Relaxed);
        }
    }

    /// Whoever still waits has to look the coordinator up again.
    fn end(mut self, surroundings: &Surroundings) {
        self.tell(surroundings, (0, 0));
        for (_, sender) in self.waiting {
            let _ = sender.send(Err(Unavailable::NotHere));
        }
    }
}

/// Returns what became of the oldest append; never, if there is none.
async fn first_committed(appending: &mut VecDeque<Appending>) -> Result<Offset, AppendError> {
    match appending.front_mut() {
        Some(first) => first.committed().await,
        None => std::future::pending().await,
    }
}

/// Returns once the deadline has passed and the disk has room for what comes of it.
async fn due(surroundings: &Surroundings, deadline_ms: u64) {
    if deadline_ms == u64::MAX {
        return std::future::pending().await;
    }
    let runtime = &surroundings.runtime;
    let left = deadline_ms.saturating_sub(surroundings.now().elapsed_ms);
    runtime.sleep(Duration::from_millis(left)).await;
    while surroundings.is_full() {
        runtime.sleep(FULL_FOR).await;
    }
}

/// Resolves a pattern beside the shard, and tells it.
fn resolve(server: &Server, wanted: Resolve) {
    let (surroundings, sender) = (server.surroundings.clone(), server.sender.clone());
    let image = (surroundings.image)();
    surroundings.runtime.clone().spawn("resolve-pattern", async move {
        let limit = surroundings.settings.limits.pattern_topics_max;
        let work = move || pattern::resolve(wanted, &image, limit);
        let resolved = surroundings.runtime.spawn_blocking("match-topics", work).await;
        if let (Some(resolved), Some(sender)) = (resolved, sender.upgrade()) {
            // The shard may have ended meanwhile.
            let _ = sender.send(resolved);
        }
    });
}
