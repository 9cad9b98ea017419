//! The task of one partition: loads its shard, hands it what comes, and waits for what it appended and for its deadlines.

use std::sync::Arc;
use std::time::Duration;

use aquifer_types::Offset;
use tokio::sync::mpsc;

use crate::append::{AppendError, Appending};
use crate::ask::{Message, Unavailable};
use crate::desk::Desk;
use crate::load::{self, Loaded};
use crate::serving::{Ahead, Serving};
use crate::surroundings::{Surroundings, count};

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
    desk: Arc<Desk>,
    messages: mpsc::UnboundedReceiver<Message>,
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

impl Server {
    pub(crate) fn new(desk: Arc<Desk>, messages: mpsc::UnboundedReceiver<Message>) -> Server {
        Server { desk, messages, kept: Vec::new() }
    }

    pub(crate) async fn run(mut self) {
        let mut pause = RELOAD_AFTER;
        loop {
            let Some(loaded) = self.load().await else { return };
            let Some(loaded) = loaded else {
                if !self.rest(pause, Unavailable::Loading).await {
                    return;
                }
                pause = (pause * 2).min(RELOAD_AFTER_MAX);
                continue;
            };
            let end = self.serve(loaded).await;
            if let Some(serving) = self.desk.serving().take() {
                serving.end(&self.desk.surroundings);
            }
            match end {
                End::Resigned => return,
                End::Lost(error) => {
                    tracing::warn!(partition = %self.desk.replica.id(), %error, "groups are loaded anew");
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
        let rested = self.desk.surroundings.runtime.clone();
        let rested = rested.sleep(pause);
        tokio::pin!(rested);
        loop {
            tokio::select! {
                biased;
                message = self.messages.recv() => match message {
                    None => return false,
                    Some(message) => self.refuse(message, why),
                },
                () = &mut rested => return true,
            }
        }
    }

    fn refuse(&mut self, message: Message, why: Unavailable) {
        self.kept.extend(message.refuse(why));
        self.desk.dealt_with_one();
    }

    /// The state, or `None` within if it cannot be had now; `None` once nobody can ask any more.
    async fn load(&mut self) -> Option<Option<Loaded>> {
        let desk = self.desk.clone();
        let began = desk.surroundings.runtime.now().monotonic;
        let loading = load::load(&desk.surroundings, &desk.replica);
        tokio::pin!(loading);
        let loaded = loop {
            tokio::select! {
                biased;
                message = self.messages.recv() => match message {
                    None => return None,
                    Some(message) => self.refuse(message, Unavailable::Loading),
                },
                loaded = &mut loading => break loaded,
            }
        };
        let took = desk.surroundings.runtime.now().monotonic.since(began);
        let (id, counters) = (desk.replica.id(), &desk.surroundings.counters);
        match loaded {
            Ok(loaded) => {
                count(&counters.loads, 1);
                count(&counters.loaded_bytes, loaded.tail_bytes);
                if loaded.state.skipped() > 0 {
                    tracing::warn!(partition = %id, skipped = loaded.state.skipped(), "records of unknown kinds are passed over");
                }
                tracing::debug!(partition = %id, ?took, tail_bytes = loaded.tail_bytes, "groups loaded");
                Some(Some(loaded))
            }
            Err(error) => {
                count(&counters.loads_failed, 1);
                tracing::warn!(partition = %id, %error, "groups cannot be loaded yet");
                Some(None)
            }
        }
    }

    async fn serve(&mut self, loaded: Loaded) -> End {
        let desk = self.desk.clone();
        if let Err(error) = self.begin(loaded) {
            return End::Lost(error);
        }
        let mut first = None;
        loop {
            let ahead = with(&desk, |serving| serving.look_ahead(&desk, &mut first));
            let Ahead { deadline, is_queued } = match ahead {
                Ok(ahead) => ahead,
                Err(lost) => return End::Lost(lost),
            };
            if is_queued {
                desk.surroundings.directory.nudge();
            }
            let outcome = tokio::select! {
                biased;
                committed = committed(&mut first) => committed.map(|upto| {
                    first = None;
                    with(&desk, |serving| serving.committed(upto));
                }),
                message = self.messages.recv() => match message {
                    None => return End::Resigned,
                    Some(message) => self.take_several(message),
                },
                () = due(&desk.surroundings, deadline) => with(&desk, |serving| serving.tick(&desk)),
            };
            if let Err(error) = outcome {
                return End::Lost(error);
            }
        }
    }

    /// Opens the desk, and hands the shard what came meanwhile.
    fn begin(&mut self, loaded: Loaded) -> Result<(), AppendError> {
        let mut serving = Serving::begin(&self.desk, loaded);
        serving.checkpoint_if_due(&self.desk);
        let mut kept = std::mem::take(&mut self.kept).into_iter();
        let taken = kept.try_for_each(|message| serving.take(&self.desk, message));
        *self.desk.serving() = Some(serving);
        taken
    }

    fn take_several(&mut self, first: Message) -> Result<(), AppendError> {
        let desk = self.desk.clone();
        let mut serving = desk.serving();
        let Some(serving) = serving.as_mut().filter(|serving| serving.is_sound()) else {
            self.refuse(first, Unavailable::CannotStore);
            return Ok(());
        };
        let mut next = Some(first);
        for _ in 0..TURN {
            let Some(message) = next else { break };
            let taken = serving.take(&desk, message);
            desk.dealt_with_one();
            taken?;
            next = self.messages.try_recv().ok();
        }
        Ok(())
    }
}

/// Lets the shard work. It is there for as long as its task serves it.
fn with<T>(desk: &Desk, act: impl FnOnce(&mut Serving) -> T) -> T {
    act(desk.serving().as_mut().expect("a shard is taken away by its task alone"))
}

/// Returns what became of the append; never, if there is none.
async fn committed(appending: &mut Option<Appending>) -> Result<Offset, AppendError> {
    match appending {
        Some(appending) => appending.committed().await,
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
