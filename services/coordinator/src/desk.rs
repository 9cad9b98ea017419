//! `Desk`: what the task of a partition shares with those who ask, so that a heartbeat is answered where it comes in.
//!
//! A heartbeat mostly stores nothing and waits for nothing; waking the task for it, and the connection again for its answer,
//! costs more than all else about it. Everything else goes to the task, which takes many at a time so that they share a
//! flush, and keeps whoever serves connections from computing assignments.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use aquifer_group::{GroupId, Request};
use aquifer_replica::Replica;
use tokio::sync::{mpsc, oneshot};

use crate::ask::{Asked, Message, Outcome, Unavailable, Way};
use crate::serving::Serving;
use crate::surroundings::{Surroundings, count};
use crate::topics::{ClusterTopics, TopicsVersion};

/// One partition's.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) surroundings: Surroundings,
    pub(crate) replica: Arc<Replica>,
    topics_version: Arc<TopicsVersion>,
    /// For whoever leads; the task ends once that is gone.
    sender: mpsc::WeakUnboundedSender<Message>,
    /// The shard, while it is loaded. Nothing waits while this is locked.
    serving: Mutex<Option<Serving>>,
    /// Messages that the task has not dealt with. Nobody is answered before them: requests are handled in the order in which
    /// they come.
    queued: AtomicUsize,
}

impl Desk {
    pub(crate) fn new(
        surroundings: Surroundings,
        replica: Arc<Replica>,
        topics_version: Arc<TopicsVersion>,
        sender: mpsc::WeakUnboundedSender<Message>,
    ) -> Desk {
        let (serving, queued) = (Mutex::default(), AtomicUsize::new(0));
        Desk { surroundings, replica, topics_version, sender, serving, queued }
    }

    /// The shard, locked. A panic of it ends its task too.
    pub(crate) fn serving(&self) -> MutexGuard<'_, Option<Serving>> {
        self.serving.lock().expect("a shard that panicked serves nobody")
    }

    pub(crate) fn topics(&self) -> ClusterTopics {
        let version = self.topics_version.get();
        ClusterTopics { image: (self.surroundings.image)(), version }
    }

    /// Answers a heartbeat on the spot where that is possible, and hands everything else to the task.
    pub(crate) fn ask(
        self: &Arc<Desk>,
        sender: &mpsc::UnboundedSender<Message>,
        group: GroupId,
        request: Request,
    ) -> Asked {
        let is_beat = matches!(request, Request::Heartbeat(_) | Request::ConsumerHeartbeat(_));
        if is_beat
            && let Ok(mut serving) = self.serving.try_lock()
            && let Some(serving) = serving.as_mut().filter(|serving| serving.is_sound())
            && self.queued.load(Ordering::Acquire) == 0
            && !self.surroundings.is_full()
        {
            count(&self.surroundings.counters.requests, 1);
            let asked = serving.ask(self, group, request);
            if serving.stirs_task() {
                // A task that ended has nothing to look after.
                let _ = self.tell(sender, Message::Stirred);
            }
            return asked;
        }
        let (answer, asked) = oneshot::channel();
        self.send(sender, Message::Request { group, request, answer }, asked)
    }

    /// Hands something to the task that is answered.
    pub(crate) fn send(
        &self,
        sender: &mpsc::UnboundedSender<Message>,
        message: Message,
        asked: oneshot::Receiver<Outcome>,
    ) -> Asked {
        Asked(match self.tell(sender, message) {
            Ok(()) => Way::Coming(asked),
            Err(ended) => Way::Here(Err(ended)),
        })
    }

    /// Hands something to the task.
    pub(crate) fn tell(
        &self,
        sender: &mpsc::UnboundedSender<Message>,
        message: Message,
    ) -> Result<(), Unavailable> {
        self.queued.fetch_add(1, Ordering::AcqRel);
        sender.send(message).map_err(|_ended| Unavailable::NotHere)
    }

    /// The same from within the partition's own work; nobody is told once this broker leads it no longer.
    pub(crate) fn tell_task(&self, message: Message) {
        if let Some(sender) = self.sender.upgrade() {
            // The task may have ended meanwhile.
            let _ = self.tell(&sender, message);
        }
    }

    /// The task has dealt with something that it was told.
    pub(crate) fn dealt_with_one(&self) {
        self.queued.fetch_sub(1, Ordering::AcqRel);
    }
}
