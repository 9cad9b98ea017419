//! From one generation to the next: who is awaited, for how long, and what happens then.

use super::group::{ClassicGroup, Initial, Phase, Preparing};
use crate::answer::{Answer, Refusal};
use crate::names::MemberId;
use crate::turn::Turn;

impl ClassicGroup {
    /// Someone came or changed: a rebalance begins, or the one that runs may be complete.
    pub(super) fn rebalance_or_complete(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.phase, Phase::Preparing(_)) {
            self.maybe_complete_join(turn);
        } else {
            self.prepare_rebalance(turn);
        }
    }

    pub(super) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        for member in self.members.values_mut() {
            if let Some(ticket) = member.sync.take() {
                turn.reply(ticket, Answer::Sync(Err(Refusal::RebalanceInProgress)));
                member.session_ends = turn.in_timeout(member.session_timeout_ms);
            }
        }
        let timeout = u64::try_from(self.rebalance_timeout_ms()).unwrap_or(0);
        let preparing = if self.phase == Phase::Empty {
            let delay = turn.settings.initial_rebalance_delay_ms;
            let initial = Initial { remaining_ms: timeout.saturating_sub(delay), someone_came: false };
            Preparing { join_by: turn.in_ms(delay), initial: Some(initial) }
        } else {
            Preparing { join_by: turn.in_ms(timeout), initial: None }
        };
        self.phase = Phase::Preparing(preparing);
        if preparing.join_by <= turn.now.elapsed_ms {
            self.join_time_is_up(turn);
        } else {
            self.maybe_complete_join(turn);
        }
    }

    /// Ends the wait once everyone is here. The first rebalance waits its time out.
    pub(super) fn maybe_complete_join(&mut self, turn: &mut Turn<'_>) {
        let Phase::Preparing(preparing) = self.phase else { return };
        let all_joined = self.pending.is_empty() && self.members.values().all(|member| member.join.is_some());
        if all_joined && (preparing.initial.is_none() || self.members.is_empty()) {
            self.complete_join(turn);
        }
    }

    pub(super) fn join_time_is_up(&mut self, turn: &mut Turn<'_>) {
        let Phase::Preparing(preparing) = self.phase else { return };
        if let Some(initial) = preparing.initial
            && initial.someone_came
            && initial.remaining_ms > 0
        {
            let delay = turn.settings.initial_rebalance_delay_ms.min(initial.remaining_ms);
            let remaining_ms = initial.remaining_ms - delay;
            self.phase = Phase::Preparing(Preparing {
                join_by: turn.in_ms(delay),
                initial: Some(Initial { remaining_ms, someone_came: false }),
            });
            return;
        }
        self.complete_join(turn);
    }

    fn complete_join(&mut self, turn: &mut Turn<'_>) {
        // Dynamic members that did not come are out; static ones keep their place.
        let absent: Vec<MemberId> = self
            .members
            .iter()
            .filter(|(_, member)| member.join.is_none() && member.instance.is_none())
            .map(|(id, _)| id.clone())
            .collect();
        for id in absent {
            self.remove_member(turn, &id, &Refusal::UnknownMember);
        }
        if self.members.is_empty() {
            return self.become_empty(turn);
        }
        if !self.elect_leader_who_joined() {
            // Only static members that are away: there is nobody to lead, so the wait begins anew.
            let timeout = u64::try_from(self.rebalance_timeout_ms()).unwrap_or(0).max(1);
            self.phase = Phase::Preparing(Preparing { join_by: turn.in_ms(timeout), initial: None });
            return;
        }
        self.generation += 1;
        self.protocol = self.vote();
        self.state_since = turn.now.wall;
        let sync_by = turn.in_timeout(self.rebalance_timeout_ms());
        self.phase = Phase::Completing { sync_by };
        let ids: Vec<MemberId> = self.members.keys().cloned().collect();
        for id in ids {
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.has_synced = false;
            member.is_new = false;
            if let Some(ticket) = member.join.take() {
                self.answer_join(turn, ticket, &id, false);
            }
        }
    }

    fn become_empty(&mut self, turn: &mut Turn<'_>) {
        self.phase = Phase::Empty;
        self.protocol = None;
        self.leader = None;
        self.state_since = turn.now.wall;
        // A group that never had a generation leaves no trace.
        if self.generation > 0 {
            self.generation += 1;
            self.store(turn);
        }
    }

    fn elect_leader_who_joined(&mut self) -> bool {
        let joined = |id: &MemberId| self.members.get(id).is_some_and(|member| member.join.is_some());
        if self.leader.as_ref().is_some_and(joined) {
            return true;
        }
        let elected = self.members.keys().find(|id| joined(id)).cloned();
        if elected.is_some() {
            self.leader = elected;
            return true;
        }
        false
    }

    /// Takes a member out and lets its waiting calls go.
    pub(super) fn remove_member(&mut self, turn: &mut Turn<'_>, id: &MemberId, refusal: &Refusal) {
        let Some(member) = self.members.remove(id) else { return };
        if let Some(ticket) = member.join {
            turn.reply(ticket, Answer::Join(Err(refusal.clone())));
        }
        if let Some(ticket) = member.sync {
            turn.reply(ticket, Answer::Sync(Err(refusal.clone())));
        }
        if let Some(instance) = &member.instance
            && self.statics.get(instance) == Some(id)
        {
            self.statics.remove(instance);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// Someone is gone: the others share what it had.
    pub(super) fn after_removal(&mut self, turn: &mut Turn<'_>) {
        match self.phase {
            Phase::Empty => {}
            Phase::Preparing(_) => self.maybe_complete_join(turn),
            Phase::Completing { .. } | Phase::Stable { .. } => self.prepare_rebalance(turn),
        }
    }

    pub(super) fn extend_session(&mut self, turn: &mut Turn<'_>, id: &MemberId) {
        if let Some(member) = self.members.get_mut(id) {
            member.session_ends = turn.in_timeout(member.session_timeout_ms);
        }
    }

    /// Does what is due, and says when to look again.
    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.elapsed_ms;
        self.pending.retain(|_, until| *until > now);
        let silent: Vec<MemberId> = self
            .members
            .iter()
            .filter(|(_, member)| member.session_counts() && member.session_ends <= now)
            .map(|(id, _)| id.clone())
            .collect();
        let someone_left = !silent.is_empty();
        for id in silent {
            self.remove_member(turn, &id, &Refusal::UnknownMember);
        }
        if someone_left {
            self.after_removal(turn);
        }
        match self.phase {
            Phase::Preparing(preparing) if preparing.join_by <= now => self.join_time_is_up(turn),
            // A pending id that expired may have been the last one awaited.
            Phase::Preparing(_) => self.maybe_complete_join(turn),
            Phase::Completing { sync_by } | Phase::Stable { sync_by: Some(sync_by) } if sync_by <= now => {
                self.sync_time_is_up(turn);
            }
            _ => {}
        }
        turn.wake_by(self.next_deadline());
    }

    fn next_deadline(&self) -> u64 {
        let counted = self.members.values().filter(|member| member.session_counts());
        let sessions = counted.map(|member| member.session_ends);
        let phase = match self.phase {
            Phase::Preparing(preparing) => preparing.join_by,
            Phase::Completing { sync_by } => sync_by,
            Phase::Stable { sync_by } => sync_by.unwrap_or(u64::MAX),
            Phase::Empty => u64::MAX,
        };
        sessions.chain(self.pending.values().copied()).min().unwrap_or(u64::MAX).min(phase)
    }

    /// A new coordinator gives everyone the whole of their time.
    pub(crate) fn rearm(&mut self, turn: &mut Turn<'_>) {
        for member in self.members.values_mut() {
            member.session_ends = turn.in_timeout(member.session_timeout_ms);
        }
        self.await_agreement(turn);
    }
}
