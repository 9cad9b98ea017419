//! `GroupConsumer`: the door through which a member consumes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aquifer_types::{LeaderEpoch, Offset, PartitionIndex};
use aquifer_wire::ErrorCode;
use tokio::sync::{Notify, Semaphore};

use super::member::Member;
use super::membership::Membership;
use super::settings::GroupSettings;
use crate::admin::{Committer, NewOffset};
use crate::client::Client;
use crate::consumer::{Consumer, ConsumerError, ConsumerSettings, Event, Shared as ConsumerShared};
use crate::error::ClientError;
use crate::per_leader::Place;

/// How often a commit is tried again that was overtaken by a new epoch, and after how long.
const STALE_TRIES: u32 = 20;
const STALE_WAIT: Duration = Duration::from_millis(100);

/// Saying goodbye takes no longer.
const LEAVE_LIMIT: Duration = Duration::from_secs(10);

/// Consumes what its group gives it.
pub struct GroupConsumer {
    consumer: Consumer,
    shared: Arc<Shared>,
}

struct Given {
    place: Place,
    version: u64,
    end: Offset,
    epoch: Option<LeaderEpoch>,
}

/// What the member task and the handle have in common.
pub(crate) struct Shared {
    pub(crate) consumer: Arc<ConsumerShared>,
    pub(crate) settings: GroupSettings,
    pub(crate) woken: Notify,
    /// Gets a permit when the member task has ended.
    pub(crate) left: Semaphore,
    membership: Mutex<Membership>,
    /// Given out and, until whoever consumes comes back, not known to be dealt with.
    given: Mutex<Option<Given>>,
    /// Being given up: nothing more comes from them, but what was given out of them still counts.
    letting_go: Mutex<BTreeSet<Place>>,
    /// Dealt with and not committed.
    done: Mutex<BTreeMap<Place, (Offset, Option<LeaderEpoch>)>>,
    leaving: AtomicBool,
}

/// Offsets could not be committed. What they cover may be read again by others.
#[derive(Debug, thiserror::Error)]
#[error("commit offsets")]
pub struct CommitError(#[from] ClientError);

impl GroupConsumer {
    /// Joins the group.
    #[must_use]
    pub fn join(client: Client, settings: GroupSettings, consumer: ConsumerSettings) -> GroupConsumer {
        let runtime = client.runtime().clone();
        let member = runtime.random_uuid().to_string();
        let consumer = Consumer::new(client, consumer);
        let shared = Arc::new(Shared {
            consumer: Arc::clone(consumer.shared()),
            membership: Mutex::new(Membership::new(&settings, &member)),
            settings,
            woken: Notify::new(),
            left: Semaphore::new(0),
            given: Mutex::default(),
            letting_go: Mutex::default(),
            done: Mutex::default(),
            leaving: AtomicBool::new(false),
        });
        runtime.spawn("group member", Member::new(Arc::clone(&shared)).run());
        GroupConsumer { consumer, shared }
    }

    /// What comes next. Asking for it says that everything before has been dealt with and may be committed: a partition that
    /// is to be given up waits for that.
    pub async fn next(&mut self) -> Result<Event, ConsumerError> {
        self.shared.finish();
        loop {
            let event = self.consumer.next().await?;
            let Event::Records(chunk) = &event else { return Ok(event) };
            let place = (chunk.topic.clone(), chunk.partition);
            let (version, end, epoch) = (chunk.version, chunk.end, chunk.last_epoch);
            *self.shared.given() = Some(Given { place: place.clone(), version, end, epoch });
            // Whoever gives the partition up looks at what was given after it has stopped it; one of the two sees the other.
            if self.shared.consumer.state().is_current(&place, version) {
                return Ok(event);
            }
            self.shared.take_back();
        }
    }

    /// Of the chunk given out last, only what lies before `end` has been dealt with.
    pub fn dealt_with_upto(&mut self, end: Offset) {
        if let Some(given) = &mut *self.shared.given() {
            given.end = given.end.min(end);
        }
    }

    /// Commits everything that was given out.
    pub async fn commit(&mut self) -> Result<(), CommitError> {
        self.shared.finish();
        Ok(self.shared.commit_done().await?)
    }

    /// Commits, unless that is done by hand, and leaves the group.
    pub async fn close(self) {
        self.shared.finish();
        self.shared.leave();
        let runtime = self.shared.client().runtime();
        // Whatever the coordinator does, the session ends by itself.
        let _ = runtime.timeout(LEAVE_LIMIT, self.shared.left.acquire()).await;
    }

    /// What is read at the moment.
    #[must_use]
    pub fn assigned(&self) -> Vec<Place> {
        self.shared.consumer.state().places().cloned().collect()
    }

    /// Holds a partition, or lets it go on.
    pub fn pause(&self, topic: &str, partition: PartitionIndex, paused: bool) {
        self.consumer.pause(topic, partition, paused);
    }

    /// How long the coordinator waits for this member, where it says so.
    #[must_use]
    pub fn session_timeout(&self) -> Option<Duration> {
        self.shared.membership().session_timeout()
    }
}

impl Drop for GroupConsumer {
    fn drop(&mut self) {
        self.shared.leave();
    }
}

impl Shared {
    pub(crate) fn client(&self) -> &Client {
        &self.consumer.client
    }

    pub(crate) fn membership(&self) -> MutexGuard<'_, Membership> {
        self.membership.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn leaves(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
        self.woken.notify_one();
    }

    /// Whoever consumes has dealt with what it was given.
    fn finish(&self) {
        let Some(given) = self.given().take() else { return };
        // Held until it is noted, so that a partition is not given up in between.
        let letting_go = self.letting_go();
        let is_current = self.consumer.state().is_current(&given.place, given.version);
        let is_let_go = letting_go.contains(&given.place);
        if is_current || is_let_go {
            self.done().insert(given.place, (given.end, given.epoch));
        }
        if is_let_go {
            self.woken.notify_one();
        }
    }

    /// Nothing was given after all.
    fn take_back(&self) {
        *self.given() = None;
        self.woken.notify_one();
    }

    /// Nothing more comes from these, and nothing that was given out of them counts.
    pub(crate) fn lose(&self, places: &[Place]) {
        self.stop(places);
        self.let_gone(places);
    }

    /// Nothing more comes from these; what was given out of them counts until they are gone.
    pub(crate) fn let_go(&self, places: &[Place]) {
        self.letting_go().extend(places.iter().cloned());
        self.stop(places);
    }

    /// Whether something of these was given out and is not dealt with.
    pub(crate) fn is_awaited(&self, places: &[Place]) -> bool {
        self.given().as_ref().is_some_and(|given| places.contains(&given.place))
    }

    /// These are others' from here on.
    pub(crate) fn let_gone(&self, places: &[Place]) {
        let (mut letting_go, mut done) = (self.letting_go(), self.done());
        for place in places {
            letting_go.remove(place);
            done.remove(place);
        }
    }

    fn stop(&self, places: &[Place]) {
        let mut state = self.consumer.state();
        places.iter().for_each(|place| state.remove(place));
    }

    /// Commits what was dealt with; what the coordinator does not take stays.
    pub(crate) async fn commit_done(&self) -> Result<(), ClientError> {
        let mut tries = 0;
        loop {
            let offsets: Vec<NewOffset> = {
                let done = self.done();
                let offsets = done.iter().map(|(place, (offset, epoch))| NewOffset {
                    epoch: *epoch,
                    ..NewOffset::at(place.clone(), *offset)
                });
                offsets.collect()
            };
            let committer = {
                let membership = self.membership();
                let instance = self.settings.instance.as_deref().map(Into::into);
                Committer { member: membership.member().clone(), instance, epoch: membership.epoch() }
            };
            match self.client().commit(&self.settings.group, &committer, &offsets).await {
                Ok(()) => {
                    self.forget_committed(&offsets);
                    return Ok(());
                }
                // The next heartbeat brings the epoch that counts.
                Err(error) if error.code() == Some(ErrorCode::STALE_MEMBER_EPOCH) && tries < STALE_TRIES => {
                    tries += 1;
                    self.client().runtime().sleep(STALE_WAIT).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn forget_committed(&self, offsets: &[NewOffset]) {
        let mut done = self.done();
        for committed in offsets {
            if done.get(&committed.place).is_some_and(|(offset, _)| *offset == committed.offset) {
                done.remove(&committed.place);
            }
        }
    }

    fn given(&self) -> MutexGuard<'_, Option<Given>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn letting_go(&self) -> MutexGuard<'_, BTreeSet<Place>> {
        self.letting_go.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self) -> MutexGuard<'_, BTreeMap<Place, (Offset, Option<LeaderEpoch>)>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
