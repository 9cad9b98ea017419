//! `Serving`: a loaded shard at work, whoever feeds it: the partition's task, or a connection that was answered on the spot.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aquifer_group::{GroupId, Input, Reply, Request, Resolve, Shard, Step, Ticket};
use aquifer_types::Offset;
use tokio::sync::oneshot;

use crate::append::{AppendError, Appending, append};
use crate::ask::{Asked, Message, Outcome, Unavailable, Way};
use crate::desk::Desk;
use crate::load::{self, Loaded};
use crate::pattern;
use crate::surroundings::{Surroundings, count};

/// The shard, and whoever waits for it.
#[derive(Debug)]
pub(crate) struct Serving {
    shard: Shard,
    waiting: BTreeMap<Ticket, oneshot::Sender<Outcome>>,
    last_ticket: u64,
    /// In the order of their offsets; the task waits for the first.
    appending: VecDeque<Appending>,
    since_checkpoint: u64,
    /// Something was queued that the directory was not told of: a heartbeat that stores nothing wakes nobody.
    is_queued: bool,
    counted: (u64, u64),
    /// When the task will look again of itself.
    armed: u64,
    /// The task was told to look.
    is_stirred: bool,
    /// What the shard decided is not what the log holds: nothing more is asked of it.
    lost: Option<AppendError>,
}

/// What the task is to wait for.
#[derive(Debug)]
pub(crate) struct Ahead {
    pub(crate) deadline: u64,
    /// The directory is to be told that there is something to write.
    pub(crate) is_queued: bool,
}

impl Serving {
    pub(crate) fn begin(desk: &Desk, loaded: Loaded) -> Serving {
        let (committed, since_checkpoint) = (loaded.state.next(), loaded.tail_bytes);
        let settings = desk.surroundings.settings.clone();
        let shard = Shard::lead(loaded.state, committed, desk.surroundings.now(), &desk.topics(), settings);
        Serving {
            shard,
            waiting: BTreeMap::new(),
            last_ticket: 0,
            appending: VecDeque::new(),
            since_checkpoint,
            is_queued: false,
            counted: (0, 0),
            armed: 0,
            is_stirred: false,
            lost: None,
        }
    }

    /// Whether the shard may be asked.
    pub(crate) fn is_sound(&self) -> bool {
        self.lost.is_none()
    }

    /// What the task waits for next, of appends the one in `first`; an error ends the shard.
    pub(crate) fn look_ahead(
        &mut self,
        desk: &Desk,
        first: &mut Option<Appending>,
    ) -> Result<Ahead, AppendError> {
        if let Some(error) = self.lost.take() {
            return Err(error);
        }
        self.count(&desk.surroundings);
        if first.is_none() {
            *first = self.appending.pop_front();
        }
        self.is_stirred = false;
        self.armed = self.shard.next_deadline();
        Ok(Ahead { deadline: self.armed, is_queued: std::mem::take(&mut self.is_queued) })
    }

    /// Whether the task has to look before it would of itself, and was not told so yet.
    pub(crate) fn stirs_task(&mut self) -> bool {
        let is_due = self.is_queued || self.lost.is_some() || self.shard.next_deadline() < self.armed;
        is_due && !std::mem::replace(&mut self.is_stirred, true)
    }

    /// Takes a question; an error is kept for the task.
    pub(crate) fn ask(&mut self, desk: &Arc<Desk>, group: GroupId, request: Request) -> Asked {
        let ticket = self.next_ticket();
        let input = Input::Request { ticket, group, request };
        let mut step = self.shard.handle(desk.surroundings.now(), &desk.topics(), input);
        let at_once = step.replies.iter().position(|reply| reply.ticket == ticket);
        let way = match at_once {
            Some(at) => Way::Here(Ok(step.replies.swap_remove(at).answer)),
            None => {
                let (sender, answer) = oneshot::channel();
                self.waiting.insert(ticket, sender);
                Way::Coming(answer)
            }
        };
        self.lost = self.carry_out(desk, step).err();
        Asked(way)
    }

    pub(crate) fn take(&mut self, desk: &Arc<Desk>, message: Message) -> Result<(), AppendError> {
        if message.may_store() && desk.surroundings.is_full() {
            // A pattern is resolved again with the next heartbeat that finds it missing.
            drop(message.refuse(Unavailable::CannotStore));
            return Ok(());
        }
        let input = match message {
            Message::Request { group, request, answer } => {
                count(&desk.surroundings.counters.requests, 1);
                Input::Request { ticket: self.wait(answer), group, request }
            }
            Message::List { filter, answer } => Input::List { ticket: self.wait(answer), filter },
            Message::Export { answer } => Input::Export { ticket: self.wait(answer) },
            Message::TopicsDeleted(topics) => Input::TopicsDeleted(topics),
            Message::TopicsChanged(topics) => Input::TopicsChanged(topics),
            Message::PatternResolved { group, pattern, topics, version } => {
                Input::PatternResolved { group, pattern, topics, version }
            }
            Message::Stirred => return Ok(()),
        };
        let step = self.shard.handle(desk.surroundings.now(), &desk.topics(), input);
        self.carry_out(desk, step)
    }

    pub(crate) fn tick(&mut self, desk: &Arc<Desk>) -> Result<(), AppendError> {
        let step = self.shard.tick(desk.surroundings.now(), &desk.topics());
        self.carry_out(desk, step)
    }

    /// The oldest append is committed.
    pub(crate) fn committed(&mut self, upto: Offset) {
        let replies = self.shard.commit(upto);
        self.answer(replies);
    }

    /// Nobody waits for what only makes the next load shorter.
    pub(crate) fn checkpoint_if_due(&mut self, desk: &Desk) {
        if self.since_checkpoint >= desk.surroundings.checkpoint_every_bytes {
            self.since_checkpoint = 0;
            let making = load::make_checkpoint(desk.surroundings.clone(), desk.replica.clone());
            desk.surroundings.runtime.spawn("checkpoint-groups", making);
        }
    }

    /// Whoever still waits has to look the coordinator up again.
    pub(crate) fn end(mut self, surroundings: &Surroundings) {
        self.tell(surroundings, (0, 0));
        for (_, sender) in self.waiting {
            let _ = sender.send(Err(Unavailable::NotHere));
        }
    }

    fn next_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    fn wait(&mut self, answer: oneshot::Sender<Outcome>) -> Ticket {
        let ticket = self.next_ticket();
        self.waiting.insert(ticket, answer);
        ticket
    }

    fn carry_out(&mut self, desk: &Arc<Desk>, step: Step) -> Result<(), AppendError> {
        let Step { base, records, replies, patterns } = step;
        if !records.is_empty() {
            let now = desk.surroundings.runtime.now().wall;
            let appending = append(&desk.replica, base, &records, now)?;
            count(&desk.surroundings.counters.batches, 1);
            self.is_queued = true;
            self.since_checkpoint += appending.bytes;
            self.appending.push_back(appending);
            self.checkpoint_if_due(desk);
        }
        self.answer(replies);
        for wanted in patterns {
            resolve(desk, wanted);
        }
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
}

/// Resolves a pattern beside the shard, and tells it.
fn resolve(desk: &Arc<Desk>, wanted: Resolve) {
    let (desk, runtime) = (desk.clone(), desk.surroundings.runtime.clone());
    let image = (desk.surroundings.image)();
    let limit = desk.surroundings.settings.limits.pattern_topics_max;
    runtime.clone().spawn("resolve-pattern", async move {
        let work = move || pattern::resolve(wanted, &image, limit);
        if let Some(resolved) = runtime.spawn_blocking("match-topics", work).await {
            desk.tell_task(resolved);
        }
    });
}
