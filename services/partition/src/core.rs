//! `Core`: the state of one replica and the one door to it.

use aquifer_record::ProducerState;
use aquifer_types::{FencingToken, LeaderEpoch, NodeId, Offset, PartitionEpoch, TimestampMs};

use crate::effect::Effect;
use crate::input::{Durability, Input};
use crate::marks::Marks;
use crate::pending::PendingAcknowledgements;
use crate::producers::Producers;
use crate::roles::Role;
use crate::settings::Settings;

/// One replica of one partition.
#[derive(Clone, Debug)]
pub struct Core {
    pub(crate) me: NodeId,
    pub(crate) settings: Settings,
    pub(crate) role: Role,
    /// The newest epochs heard, whatever the role was made of them.
    pub(crate) told: Option<(LeaderEpoch, PartitionEpoch)>,
    /// What appends that carry a fencing token are compared with.
    pub(crate) fence: Option<FencingToken>,
    pub(crate) marks: Marks,
    /// The highest high watermark ever known of what the log holds; a new leader starts from it.
    pub(crate) committed_known: Offset,
    /// The change of durability that waits for a flush up to here.
    pub(crate) durability_waits: Option<Offset>,
    pub(crate) producers: Producers,
    pub(crate) pending: PendingAcknowledgements,
}

/// What recovery found, all of it synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    pub log_start: Offset,
    pub log_end: Offset,
    pub durability: Durability,
}

impl Core {
    /// A replica that was told no role yet.
    #[must_use]
    pub fn new(me: NodeId, recovered: Recovered, settings: Settings) -> Core {
        let marks = Marks::new(recovered.log_start, recovered.log_end, recovered.durability);
        marks.check();
        Core {
            me,
            settings,
            role: Role::Unassigned,
            told: None,
            fence: None,
            marks,
            committed_known: marks.log_start(),
            durability_waits: None,
            producers: Producers::new(settings.producers_max),
            pending: PendingAcknowledgements::default(),
        }
    }

    /// Takes one input and appends what must be done about it to `effects`. `now` is wall time.
    pub fn step(&mut self, now: TimestampMs, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Append(append) => self.append(now, &append, effects),
            Input::Written { upto } => {
                self.marks.write(upto);
                self.producers.written(self.marks.written());
                self.pending.written(&self.marks, effects);
                self.advance(effects);
            }
            Input::Flushed { upto } => {
                self.marks.flush(upto);
                self.durability_reached(effects);
                self.advance(effects);
            }
            Input::WriteFailed { from } => self.write_failed(from, effects),
            Input::FollowerFetched { epoch, follower, from } => {
                self.follower_is(epoch, follower, |progress, end| {
                    // It may have lost its tail since, and then it flushed no more than it has.
                    progress.fetched = from.min(end);
                    progress.flushed = progress.flushed.min(progress.fetched);
                });
                self.advance(effects);
            }
            Input::FollowerFlushed { epoch, follower, upto } => {
                self.follower_is(epoch, follower, |progress, end| {
                    progress.flushed = progress.flushed.max(upto.min(end));
                });
                self.advance(effects);
            }
            Input::Replicate(batch) => self.replicate(now, &batch),
            Input::LeaderAnswered { epoch, high_watermark, log_start } => {
                self.leader_answered(epoch, high_watermark, log_start, effects);
            }
            Input::Truncated { to } => self.truncated(to, effects),
            Input::MoveLogStart { upto } => self.move_log_start(upto, effects),
            Input::Tiered { start, end } => {
                if self.marks.set_tier(start, end) {
                    effects.push(Effect::LogStartMoved { log_start: self.marks.log_start() });
                }
            }
            Input::Fence(token) => self.fence = token,
            Input::SetDurability(durability) => self.set_durability(durability, effects),
            Input::Lead(lead) => self.lead(&lead, effects),
            Input::Follow(follow) => self.follow(follow, effects),
            Input::GoOffline => self.go_offline(effects),
            Input::Tick => self.producers.expire(now, self.settings.producer_expiry_ms),
        }
        self.marks.check();
    }

    /// Our disk lost what the tier has, or never had it: the log goes on at `start`, of which everything below is read from
    /// the tier. Only a sole replica may do so, before it has a role.
    pub fn begin_at(&mut self, start: Offset) {
        assert_eq!(self.role, Role::Unassigned, "a log in use does not begin anew: {self:?}");
        assert!(start >= self.marks.log_end(), "I3: offsets would be given twice: {self:?}");
        self.marks = Marks::new(start, start, self.marks.durability());
        self.marks.check();
        self.committed_known = start;
    }

    #[must_use]
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    #[must_use]
    pub fn fence(&self) -> Option<FencingToken> {
        self.fence
    }

    #[must_use]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// How many appends wait for their acknowledgement.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The producers known, in the order of their ids: what a snapshot holds and DescribeProducers answers.
    pub fn producers(&self) -> impl Iterator<Item = &ProducerState> {
        self.producers.iter()
    }

    /// The producers as they were when the log ended at `end`, as the snapshot of a segment that ends there must have
    /// them: a batch behind it may yet be lost without it. Appends from `end` on must not be written yet.
    #[must_use]
    pub fn producers_at(&self, end: Offset) -> Vec<ProducerState> {
        assert!(
            self.marks.written() <= end,
            "written beyond {end}, too late to think it away: {:?}",
            self.marks
        );
        self.producers.at(end)
    }

    /// Replaces the producers by those of a snapshot and the batches after it. Only with nothing waiting to be written,
    /// so after recovery or truncation.
    pub fn restore_producers(&mut self, producers: impl IntoIterator<Item = ProducerState>) {
        assert_eq!(self.marks.written(), self.marks.log_end(), "restored under unwritten appends");
        self.producers.restore(producers);
    }
}

#[cfg(test)]
#[path = "core_test.rs"]
mod tests;
