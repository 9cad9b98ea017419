//! Advancing: how records become committed, and what follows from it. Keeps I2: what is acknowledged was committed.

use aquifer_types::{LeaderEpoch, NodeId, Offset};

use crate::core::Core;
use crate::effect::Effect;
use crate::input::Durability;
use crate::leader::Progress;
use crate::roles::Role;

impl Core {
    /// Commits whatever our disk and every in-sync follower now have.
    pub(crate) fn advance(&mut self, effects: &mut Vec<Effect>) {
        let Role::Leader(leader) = &self.role else { return };
        if !leader.has_enough_in_sync() {
            return;
        }
        let committed = leader.held_by_all(&self.marks);
        self.commit(committed, effects);
    }

    /// Raises the high watermark, wakes who waits to read and answers who waits to be committed.
    pub(crate) fn commit(&mut self, upto: Offset, effects: &mut Vec<Effect>) {
        if !self.marks.commit(upto) {
            return;
        }
        self.committed_known = self.committed_known.max(upto);
        effects.push(Effect::Wake { high_watermark: upto });
        self.pending.committed(&self.marks, effects);
    }

    /// Notes what a follower said in the current epoch; who is no replica, or speaks of another epoch, is not heard.
    pub(crate) fn follower_is(
        &mut self,
        epoch: LeaderEpoch,
        follower: NodeId,
        note: impl FnOnce(&mut Progress, Offset),
    ) {
        let end = self.marks.log_end();
        if let Role::Leader(leader) = &mut self.role
            && leader.epoch == epoch
            && let Some(progress) = leader.followers.get_mut(&follower)
        {
            note(progress, end);
        }
    }

    pub(crate) fn set_durability(&mut self, durability: Durability, effects: &mut Vec<Effect>) {
        let upto = self.marks.set_durability(durability);
        self.durability_waits = Some(upto);
        if upto > self.marks.flushed() {
            effects.push(Effect::Flush { upto });
        }
        self.durability_reached(effects);
        self.advance(effects);
    }

    /// Says that a change of durability holds, once everything older is flushed.
    pub(crate) fn durability_reached(&mut self, effects: &mut Vec<Effect>) {
        if self.durability_waits.is_some_and(|upto| upto <= self.marks.flushed()) {
            self.durability_waits = None;
            effects.push(Effect::DurabilityHolds(self.marks.durability()));
        }
    }

    pub(crate) fn move_log_start(&mut self, upto: Offset, effects: &mut Vec<Effect>) {
        if !matches!(self.role, Role::Leader(_)) {
            // The move was decided when this was committed, whoever leads now.
            self.marks.commit(upto.min(self.marks.durable()));
        }
        let before = self.marks.local_start();
        let moved = self.marks.move_local_start(upto);
        if self.marks.local_start() > before {
            self.committed_known = self.committed_known.max(upto);
        }
        if moved {
            effects.push(Effect::LogStartMoved { log_start: self.marks.log_start() });
        }
    }
}
