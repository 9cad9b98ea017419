//! `Machine`: the metadata state as openraft's state machine.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aquifer_metadata::{Image, State};
use aquifer_runtime::{Runtime, Shutdown};
use futures_util::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::type_config::alias::SnapshotOf;
use openraft::{OptionalSend, Snapshot as RaftSnapshot};

use crate::feed::{AppliedCommand, Feed};
use crate::snapshot::{Snapshot, SnapshotFiles, body_of, state_of};
use crate::types::{EntryPayload, LogId, Reply, SnapshotMeta, StoredMembership, Types};

/// Entries that are applied before what they changed is published and their proposers are answered.
const BATCH: usize = 64;
/// How often a snapshot is tried again while the volume is full.
const ROOM_INTERVAL: Duration = Duration::from_secs(1);

/// The state machine. Clones are handles to the same state.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    inner: Arc<Mutex<Inner>>,
    feed: Arc<Feed>,
    files: SnapshotFiles,
    runtime: Runtime,
    building: Building,
}

/// The writing of snapshots, of which there is one at a time.
#[derive(Clone, Debug, Default)]
struct Building {
    /// Held while a snapshot is written, so that nobody unlocks the directory meanwhile.
    under_way: Arc<tokio::sync::Mutex<()>>,
    /// Given when the quorum stops: a snapshot that waits for room is not made then.
    stop: Shutdown,
}

#[derive(Clone, Debug)]
struct Inner {
    state: State,
    last_applied: Option<LogId>,
    membership: StoredMembership,
}

/// A wrong state must not be published or answered from: the process ends where applying panics.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(
                "the metadata state machine panicked: the process ends, for its state cannot be trusted"
            );
            std::process::abort();
        }
    }
}

impl Machine {
    /// The machine as a snapshot left it, or before the first command.
    pub(crate) fn new(files: SnapshotFiles, snapshot: Option<Snapshot>, runtime: Runtime) -> Machine {
        let inner = match snapshot {
            Some(Snapshot { meta, state }) => {
                Inner { state, last_applied: meta.last_log_id, membership: meta.last_membership }
            }
            None => {
                Inner { state: State::new(), last_applied: None, membership: StoredMembership::default() }
            }
        };
        let feed = Arc::new(Feed::new(inner.state.image().clone()));
        Machine { inner: Arc::new(Mutex::new(inner)), feed, files, runtime, building: Building::default() }
    }

    pub(crate) fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// A snapshot that waits for room is given up.
    pub(crate) fn stop_waiting(&self) {
        self.building.stop.give();
    }

    /// Returns once no snapshot is being written.
    pub(crate) async fn finish_building(&self) {
        drop(self.building.under_way.lock().await);
    }

    /// Applies one entry; raft's own entries have no answer.
    fn apply_one(&self, id: LogId, payload: EntryPayload, applied: &mut Vec<AppliedCommand>) -> Reply {
        let guard = AbortOnPanic;
        let mut inner = self.inner.lock().expect("a panic here ends the process");
        inner.last_applied = Some(id);
        let reply = match payload {
            EntryPayload::Blank => Reply(None),
            EntryPayload::Membership(membership) => {
                inner.membership = StoredMembership::new(Some(id), membership);
                Reply(None)
            }
            EntryPayload::Normal(proposal) => {
                let mut deltas = Vec::new();
                let answer = inner.state.apply(id.index, &proposal.command, &mut deltas);
                let bytes = proposal.bytes.len();
                applied.push(AppliedCommand::new(id.index, proposal.command, deltas, bytes));
                Reply(Some(answer))
            }
        };
        drop(inner);
        drop(guard);
        reply
    }

    fn publish(&self, applied: &mut Vec<AppliedCommand>) {
        if !applied.is_empty() {
            let image: Image =
                self.inner.lock().expect("a panic here ends the process").state.image().clone();
            self.feed.publish(std::mem::take(applied), image);
        }
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let inner = self.inner.lock().expect("a panic here ends the process");
        Ok((inner.last_applied, inner.membership.clone()))
    }

    async fn apply<Strm>(&mut self, entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        let mut batches = entries.ready_chunks(BATCH);
        while let Some(batch) = batches.next().await {
            let mut applied = Vec::new();
            let mut answers = Vec::with_capacity(batch.len());
            let mut failed = None;
            for item in batch {
                match item {
                    Ok((entry, responder)) => {
                        let reply = self.apply_one(entry.log_id, entry.payload, &mut applied);
                        answers.extend(responder.map(|responder| (responder, reply)));
                    }
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
            // First published, then answered: whoever has an answer finds its effect in the image.
            self.publish(&mut applied);
            answers.into_iter().for_each(|(responder, reply)| responder.send(reply));
            if let Some(error) = failed {
                return Err(error);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let inner = self.inner.lock().expect("a panic here ends the process").clone();
        Builder {
            inner,
            files: self.files.clone(),
            runtime: self.runtime.clone(),
            building: self.building.clone(),
        }
    }

    /// A snapshot that is the current file already is only loaded.
    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Vec<u8>) -> Result<(), io::Error> {
        let state = state_of(&snapshot)?;
        if self.files.newest().is_none_or(|newest| newest != *meta) {
            write(&self.runtime, &self.building, &self.files, meta.clone(), snapshot).await?;
        }
        let image = state.image().clone();
        let membership = meta.last_membership.clone();
        *self.inner.lock().expect("a panic here ends the process") =
            Inner { state, last_applied: meta.last_log_id, membership };
        self.feed.reset(image);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<SnapshotOf<Types, Vec<u8>>>, io::Error> {
        let files = self.files.clone();
        let read = self.runtime.spawn_blocking("read-snapshot", move || files.read_newest()).await;
        let read = read.ok_or_else(|| io::Error::other("reading the snapshot panicked"))??;
        Ok(read.map(|(meta, snapshot)| RaftSnapshot { meta, snapshot }))
    }
}

/// Makes a snapshot of the state as it was when the builder was asked for.
#[derive(Debug)]
pub(crate) struct Builder {
    inner: Inner,
    files: SnapshotFiles,
    runtime: Runtime,
    building: Building,
}

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<Types, Vec<u8>>, io::Error> {
        let meta = SnapshotMeta {
            last_log_id: self.inner.last_applied,
            last_membership: self.inner.membership.clone(),
        };
        let body = body_of(&self.inner.state);
        write(&self.runtime, &self.building, &self.files, meta.clone(), body.clone()).await?;
        Ok(RaftSnapshot { meta, snapshot: body })
    }
}

/// Writes a snapshot file off the reactor; the directory is in use until it is done, even if nobody waits any more. On a
/// full volume it waits for room, as everything does that is not worth a quorum.
async fn write(
    runtime: &Runtime,
    building: &Building,
    files: &SnapshotFiles,
    meta: SnapshotMeta,
    body: Vec<u8>,
) -> io::Result<()> {
    let held = Arc::new(Arc::clone(&building.under_way).lock_owned().await);
    loop {
        let attempt = (files.clone(), meta.clone(), body.clone(), Arc::clone(&held));
        let written = runtime.spawn_blocking("write-snapshot", move || {
            let (files, meta, body, held) = attempt;
            let written = files.write(&meta, &body);
            drop(held);
            written
        });
        let written = written.await.ok_or_else(|| io::Error::other("writing the snapshot panicked"))?;
        let Err(error) = written else { return Ok(()) };
        if !error.is_full() || building.stop.is_given() {
            return Err(io::Error::other(error));
        }
        tracing::warn!(%error, "the snapshot of the metadata waits for room on the disk");
        tokio::select! {
            biased;
            () = building.stop.wait() => {}
            () = runtime.sleep(ROOM_INTERVAL) => {}
        }
    }
}
