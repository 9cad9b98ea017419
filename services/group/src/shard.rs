//! `Shard`: the groups of one partition of `__consumer_offsets`, while this broker leads it.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_types::Offset;

use crate::answer::{Answer, Reply, Step};
use crate::group::{Group, Kind};
use crate::input::{Input, Now, Ticket, Topics};
use crate::loading::Loading;
use crate::names::GroupId;
use crate::record::GroupRecord;
use crate::settings::Settings;
use crate::sweep::Sweeps;
use crate::turn::Turn;

/// The groups of one partition, and the answers that wait for their records.
#[derive(Clone, Debug)]
pub struct Shard {
    pub(crate) settings: Settings,
    pub(crate) groups: BTreeMap<GroupId, Group>,
    /// Where the next batch is expected to lie.
    pub(crate) next: Offset,
    committed: Offset,
    /// Answers by the offset below which everything must be committed first.
    parked: BTreeMap<(Offset, u64), Reply>,
    parked_count: u64,
    wakes: BTreeSet<(u64, GroupId)>,
    /// Below here lie the records that removed groups.
    removed_end: Offset,
    bytes: usize,
    pub(crate) sweeps: Sweeps,
}

/// Which of a group's records an answer depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DependsOn {
    State,
    StateAndOffsets,
}

impl Shard {
    /// Begins to lead with what was loaded; everyone has the whole of their time again.
    #[must_use]
    pub fn lead(
        loaded: Loading,
        committed: Offset,
        now: Now,
        topics: &dyn Topics,
        settings: Settings,
    ) -> Shard {
        let mut shard = Shard {
            groups: loaded.groups,
            next: loaded.next,
            committed,
            parked: BTreeMap::new(),
            parked_count: 0,
            wakes: BTreeSet::new(),
            // What was loaded may not be committed, and answers may rest on what it removed.
            removed_end: loaded.next,
            bytes: 0,
            sweeps: Sweeps::new(now, &settings),
            settings,
        };
        shard.groups.retain(|_, group| {
            group.settle();
            !group.is_void()
        });
        for group in shard.groups.values_mut() {
            group.state_end = shard.next;
            group.offsets_end = shard.next;
            group.measure();
            let mut turn = Turn::new(now, topics, &shard.settings);
            group.rearm(&mut turn);
            group.wake_at = turn.wake_at();
            if group.wake_at != u64::MAX {
                shard.wakes.insert((group.wake_at, group.id.clone()));
            }
            shard.bytes += group.bytes();
        }
        shard
    }

    /// Takes one input. Its records must be appended, as one batch, before the next.
    pub fn handle(&mut self, now: Now, topics: &dyn Topics, input: Input) -> Step {
        match input {
            Input::Request { ticket, group, request } => self.request(now, topics, ticket, &group, request),
            Input::List { ticket, filter } => self.tell(ticket, self.list(&filter)),
            Input::Export { ticket } => self.tell(ticket, self.export()),
            Input::PatternResolved { group, pattern, topics: matched, version } => {
                self.with_group(now, topics, &group, DependsOn::State, |group, turn| {
                    if let Kind::Consumer(consumer) = &mut group.kind {
                        consumer.pattern_resolved(turn, &pattern, matched, version);
                    }
                })
            }
            Input::TopicsDeleted(topics) => {
                self.sweeps.topics_deleted(topics);
                Step { base: self.next, ..Step::default() }
            }
            Input::TopicsChanged(topics) => {
                self.sweeps.topics_changed(topics);
                Step { base: self.next, ..Step::default() }
            }
        }
    }

    /// An answer that rests on everything there is.
    fn tell(&mut self, ticket: Ticket, answer: Answer) -> Step {
        let mut step = Step { base: self.next, ..Step::default() };
        self.answer(Reply { ticket, answer }, self.next, &mut step);
        step
    }

    /// When `tick` wants to be called.
    #[must_use]
    pub fn next_deadline(&self) -> u64 {
        let group = self.wakes.first().map_or(u64::MAX, |(at, _)| *at);
        group.min(self.sweeps.next_deadline())
    }

    /// Does what is due: one group, or one sweep, at a time; call again while the deadline has passed.
    pub fn tick(&mut self, now: Now, topics: &dyn Topics) -> Step {
        if let Some((at, id)) = self.wakes.first().cloned()
            && at <= now.elapsed_ms
        {
            return self.with_group(now, topics, &id, DependsOn::State, |group, turn| group.tick(turn));
        }
        if self.sweeps.next_deadline() <= now.elapsed_ms {
            return self.sweep(now, topics);
        }
        Step { base: self.next, ..Step::default() }
    }

    /// Everything below `upto` is committed: the answers that waited for it.
    pub fn commit(&mut self, upto: Offset) -> Vec<Reply> {
        self.committed = self.committed.max(upto);
        let rest = self.parked.split_off(&(self.committed.plus(1), 0));
        std::mem::replace(&mut self.parked, rest).into_values().collect()
    }

    /// Ends this broker's lead; these requests have not been answered and never will be from here.
    #[must_use]
    pub fn end(self) -> Vec<Ticket> {
        let parked = self.parked.into_values().map(|reply| reply.ticket);
        let waiting = self.groups.into_values().flat_map(|group| match group.kind {
            Kind::Classic(classic) => classic.waiting(),
            Kind::Consumer(_) => Vec::new(),
        });
        parked.chain(waiting).collect()
    }

    /// What groups, members and offsets are estimated to take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    #[must_use]
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// Lets `act` work on a group, which need not exist before or after, and keeps the books about it.
    pub(crate) fn with_group(
        &mut self,
        now: Now,
        topics: &dyn Topics,
        id: &GroupId,
        depends_on: DependsOn,
        act: impl FnOnce(&mut Group, &mut Turn<'_>),
    ) -> Step {
        let mut turn = Turn::new(now, topics, &self.settings);
        let known = self.groups.remove(id);
        let existed = known.is_some();
        let mut group = known.unwrap_or_else(|| Group::new(id.clone()));
        let bytes_before = if existed { group.bytes() } else { 0 };
        let woken = group.wake_at <= now.elapsed_ms;
        act(&mut group, &mut turn);
        let wake_at = turn.wake_at();
        let Turn { records, replies, patterns, keeps_members, .. } = turn;

        let mut step = Step { base: self.next, records, replies: Vec::new(), patterns };
        self.next = self.next.plus(step.records.len() as i64);
        if step.records.iter().any(|record| matches!(record, GroupRecord::Offset { .. })) {
            group.offsets_end = self.next;
        }
        if step.records.iter().any(|record| !matches!(record, GroupRecord::Offset { .. })) {
            group.state_end = self.next;
        }
        let end = match depends_on {
            DependsOn::State => group.state_end,
            DependsOn::StateAndOffsets => group.state_end.max(group.offsets_end),
        };
        let end = if existed { end } else { end.max(self.removed_end) };
        for reply in replies {
            self.answer(reply, end, &mut step);
        }

        self.rearm(&mut group, wake_at, woken);
        self.bytes -= bytes_before;
        if group.is_void() {
            self.removed_end = self.removed_end.max(group.state_end).max(group.offsets_end);
            if group.wake_at != u64::MAX {
                self.wakes.remove(&(group.wake_at, group.id));
            }
        } else {
            if !keeps_members {
                group.measure();
            }
            self.bytes += group.bytes();
            self.groups.insert(group.id.clone(), group);
        }
        step
    }

    /// Deadlines mostly move away, so a group is woken at the earliest it ever named, and then names the next.
    fn rearm(&mut self, group: &mut Group, wake_at: u64, woken: bool) {
        if !woken && wake_at >= group.wake_at {
            return;
        }
        if group.wake_at != u64::MAX {
            self.wakes.remove(&(group.wake_at, group.id.clone()));
        }
        group.wake_at = wake_at;
        if wake_at != u64::MAX {
            self.wakes.insert((wake_at, group.id.clone()));
        }
    }

    /// No answer leaves before the records it rests on are committed.
    fn answer(&mut self, reply: Reply, end: Offset, step: &mut Step) {
        if end <= self.committed {
            step.replies.push(reply);
        } else {
            self.parked_count += 1;
            self.parked.insert((end, self.parked_count), reply);
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= self.settings.limits.shard_bytes_max
    }
}
