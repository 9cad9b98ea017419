//! Drives a shard as its edge will: appends what it writes, commits, restarts.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_group::{
    Answer, GroupId, Input, Loading, Now, Reply, Request, Resolve, Settings, Shard, Step, Ticket,
};
use aquifer_types::{Offset, TimestampMs};

use crate::cluster::Cluster;
use crate::random::Random;

/// A key and a value as they lie in the log.
type Stored = (Vec<u8>, Option<Vec<u8>>);

/// Settings under which every change is followed by a target at once.
pub fn at_once() -> Settings {
    let mut settings = Settings::default();
    settings.consumer.assignment_interval_ms = 0;
    settings
}

pub struct Driver {
    pub shard: Shard,
    pub cluster: Cluster,
    pub log: Vec<Stored>,
    /// Where batches end: a log keeps or loses a batch as a whole.
    ends: BTreeSet<usize>,
    /// How much of the log is committed.
    pub committed: usize,
    pub settings: Settings,
    pub now_ms: u64,
    /// Whether whatever is appended is committed at once.
    pub commits_at_once: bool,
    pub answers: BTreeMap<Ticket, Answer>,
    /// Patterns that the shard wants to have resolved.
    pub patterns: Vec<Resolve>,
    next_ticket: u64,
}

impl Driver {
    pub fn new(cluster: Cluster, settings: Settings) -> Driver {
        let now = Now { elapsed_ms: 1_000, wall: TimestampMs(1_000_000) };
        let shard = Shard::lead(Loading::new(), Offset::ZERO, now, &cluster, settings.clone());
        Driver {
            shard,
            cluster,
            log: Vec::new(),
            ends: BTreeSet::new(),
            committed: 0,
            settings,
            now_ms: 1_000,
            commits_at_once: true,
            answers: BTreeMap::new(),
            patterns: Vec::new(),
            next_ticket: 0,
        }
    }

    pub fn now(&self) -> Now {
        Now { elapsed_ms: self.now_ms, wall: TimestampMs(1_000_000 + self.now_ms.cast_signed()) }
    }

    pub fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    /// Sends a request; its answer may come later.
    pub fn send(&mut self, group: &str, request: Request) -> Ticket {
        let ticket = self.ticket();
        self.handle(Input::Request { ticket, group: GroupId::new(group), request });
        ticket
    }

    /// Sends a request that is answered at once.
    pub fn ask(&mut self, group: &str, request: Request) -> Answer {
        let ticket = self.send(group, request);
        self.answers.remove(&ticket).expect("an answer at once")
    }

    pub fn take(&mut self, ticket: Ticket) -> Option<Answer> {
        self.answers.remove(&ticket)
    }

    pub fn handle(&mut self, input: Input) {
        let now = self.now();
        let step = self.shard.handle(now, &self.cluster, input);
        self.carry_out(step);
    }

    fn carry_out(&mut self, step: Step) {
        assert_eq!(step.base, Offset(self.log.len() as i64), "a batch elsewhere");
        self.log.extend(step.records.iter().map(|record| (record.key(), record.value())));
        self.ends.insert(self.log.len());
        self.patterns.extend(step.patterns);
        self.deliver(step.replies);
        if self.commits_at_once {
            self.commit_all();
        }
    }

    fn deliver(&mut self, replies: Vec<Reply>) {
        for reply in replies {
            let earlier = self.answers.insert(reply.ticket, reply.answer);
            assert!(earlier.is_none(), "answered twice");
        }
    }

    pub fn commit_all(&mut self) {
        self.commit(self.log.len());
    }

    /// Commits the batches that end by `upto`.
    pub fn commit(&mut self, upto: usize) {
        let end = self.ends.range(..=upto).next_back().copied().unwrap_or(0);
        self.committed = self.committed.max(end);
        let replies = self.shard.commit(Offset(self.committed as i64));
        self.deliver(replies);
    }

    /// Lets time pass, and everything that is due happen when it is.
    pub fn advance(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while self.shard.next_deadline() <= end {
            self.now_ms = self.now_ms.max(self.shard.next_deadline());
            let now = self.now();
            let step = self.shard.tick(now, &self.cluster);
            self.carry_out(step);
        }
        self.now_ms = end;
    }

    /// What the log up to here makes of a new shard.
    pub fn loaded(&self) -> Loading {
        let mut loading = Loading::new();
        for (at, (key, value)) in self.log.iter().enumerate() {
            loading.replay(Offset(at as i64), key, value.as_deref());
        }
        loading
    }

    /// The same where compaction has been: what a later record supersedes may be gone, and so may a removal of what is.
    pub fn loaded_thinned(&self, random: &mut Random) -> Loading {
        let mut lasts = BTreeMap::new();
        let mut older_stays = BTreeSet::new();
        for (at, (key, _)) in self.log.iter().enumerate() {
            lasts.insert(key, at);
        }
        let mut loading = Loading::new();
        for (at, (key, value)) in self.log.iter().enumerate() {
            let is_last = lasts[key] == at;
            let may_go = if is_last { value.is_none() && !older_stays.contains(key) } else { true };
            if may_go && !random.one_in(3) {
                continue;
            }
            older_stays.insert(key);
            loading.replay(Offset(at as i64), key, value.as_deref());
        }
        loading.skip_to(Offset(self.log.len() as i64));
        loading
    }

    /// The same by a checkpoint of what the log was at some time, and the rest of the log.
    pub fn loaded_by_checkpoint(&self, random: &mut Random) -> Loading {
        let cut = random.below(self.log.len() + 1);
        let mut loading = Loading::new();
        for (at, (key, value)) in self.log.iter().enumerate() {
            if at == cut {
                loading = Loading::restore(&loading.checkpoint()).expect("a checkpoint");
            }
            loading.replay(Offset(at as i64), key, value.as_deref());
        }
        loading
    }

    /// The broker dies; what was not committed may be lost. Returns the requests that got no answer.
    pub fn restart(&mut self) -> Vec<Ticket> {
        self.restart_by(Driver::loaded)
    }

    /// The same by the log, a thinned log, or a checkpoint and a log.
    pub fn restart_somehow(&mut self, random: &mut Random) -> Vec<Ticket> {
        match random.below(3) {
            0 => self.restart(),
            1 => self.restart_by(|driver| driver.loaded_thinned(random)),
            _ => self.restart_by(|driver| driver.loaded_by_checkpoint(random)),
        }
    }

    /// Dies, and comes back with what `load` makes of the log.
    pub fn restart_by(&mut self, load: impl FnOnce(&Driver) -> Loading) -> Vec<Ticket> {
        self.log.truncate(self.committed);
        self.ends.split_off(&(self.committed + 1));
        let loading = load(self);
        assert_eq!(loading.checkpoint(), self.loaded().checkpoint(), "another state than the log tells");
        let now = self.now();
        let next = Offset(self.log.len() as i64);
        let shard = Shard::lead(loading, next, now, &self.cluster, self.settings.clone());
        std::mem::replace(&mut self.shard, shard).end()
    }
}
