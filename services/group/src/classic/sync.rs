//! SyncGroup and Heartbeat: a generation's assignment, and signs of life.

use std::sync::Arc;

use super::group::{ClassicGroup, Phase};
use crate::answer::{Answer, Refusal, Synced};
use crate::input::{Heartbeat, Sync, Ticket};
use crate::names::MemberId;
use crate::turn::Turn;

impl ClassicGroup {
    pub(crate) fn sync(&mut self, turn: &mut Turn<'_>, ticket: Ticket, sync: &Sync) {
        if let Err(refusal) = self.try_sync(turn, ticket, sync) {
            turn.reply(ticket, Answer::Sync(Err(refusal)));
        }
    }

    fn try_sync(&mut self, turn: &mut Turn<'_>, ticket: Ticket, sync: &Sync) -> Result<(), Refusal> {
        self.check_member(&sync.member, sync.instance.as_ref())?;
        if sync.generation != self.generation {
            return Err(Refusal::IllegalGeneration);
        }
        let differs = |said: &Option<Arc<str>>, ours: Option<&Arc<str>>| {
            said.as_ref().is_some_and(|said| ours.is_some_and(|ours| ours != said))
        };
        if differs(&sync.protocol_type, Some(&self.protocol_type))
            || differs(&sync.protocol, self.protocol.as_ref())
        {
            return Err(Refusal::InconsistentProtocol);
        }
        match self.phase {
            Phase::Empty => Err(Refusal::UnknownMember),
            Phase::Preparing(_) => Err(Refusal::RebalanceInProgress),
            Phase::Completing { .. } => self.await_assignment(turn, ticket, sync),
            Phase::Stable { .. } => {
                self.mark_synced(&sync.member);
                self.answer_sync(turn, ticket, &sync.member);
                Ok(())
            }
        }
    }

    fn await_assignment(&mut self, turn: &mut Turn<'_>, ticket: Ticket, sync: &Sync) -> Result<(), Refusal> {
        let is_leader = self.is_leader(&sync.member);
        let bytes: usize = sync.assignments.iter().map(|(_, assignment)| assignment.len()).sum();
        if is_leader && bytes > turn.settings.limits.assignment_bytes_max {
            return Err(Refusal::InvalidRequest("the assignments are too large"));
        }
        if let Some(member) = self.members.get_mut(&sync.member)
            && let Some(earlier) = member.sync.replace(ticket)
        {
            turn.reply(earlier, Answer::Sync(Err(Refusal::RebalanceInProgress)));
        }
        self.mark_synced(&sync.member);
        if is_leader {
            self.assign(turn, &sync.assignments);
        }
        Ok(())
    }

    /// The leader has decided: it is stored, and everyone who waits hears it.
    fn assign(&mut self, turn: &mut Turn<'_>, assignments: &[(MemberId, Arc<[u8]>)]) {
        for member in self.members.values_mut() {
            member.assignment = Arc::default();
        }
        for (id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(id) {
                member.assignment = assignment.clone();
            }
        }
        let Phase::Completing { sync_by } = self.phase else { return };
        self.state_since = turn.now.wall;
        self.store(turn);
        let all_synced = self.members.values().all(|member| member.has_synced);
        self.phase = Phase::Stable { sync_by: (!all_synced).then_some(sync_by) };
        let waiting: Vec<(MemberId, Ticket)> = self
            .members
            .iter_mut()
            .filter_map(|(id, member)| Some((id.clone(), member.sync.take()?)))
            .collect();
        for (id, ticket) in waiting {
            self.answer_sync(turn, ticket, &id);
        }
    }

    fn mark_synced(&mut self, id: &MemberId) {
        if let Some(member) = self.members.get_mut(id) {
            member.has_synced = true;
        }
        if matches!(self.phase, Phase::Stable { sync_by: Some(_) })
            && self.members.values().all(|member| member.has_synced)
        {
            self.phase = Phase::Stable { sync_by: None };
        }
    }

    fn answer_sync(&mut self, turn: &mut Turn<'_>, ticket: Ticket, id: &MemberId) {
        let assignment = self.members.get(id).map(|member| member.assignment.clone()).unwrap_or_default();
        let synced =
            Synced { protocol_type: self.protocol_type.clone(), protocol: self.protocol.clone(), assignment };
        turn.reply(ticket, Answer::Sync(Ok(synced)));
        self.extend_session(turn, id);
    }

    /// Members that joined and never asked for their assignment are out.
    pub(super) fn sync_time_is_up(&mut self, turn: &mut Turn<'_>) {
        let absent: Vec<MemberId> =
            self.members.iter().filter(|(_, member)| !member.has_synced).map(|(id, _)| id.clone()).collect();
        for id in &absent {
            self.remove_member(turn, id, &Refusal::UnknownMember);
        }
        self.prepare_rebalance(turn);
    }

    pub(crate) fn heartbeat(&mut self, turn: &mut Turn<'_>, beat: &Heartbeat) -> Result<(), Refusal> {
        self.check_member(&beat.member, beat.instance.as_ref())?;
        if beat.generation != self.generation {
            return Err(Refusal::IllegalGeneration);
        }
        match self.phase {
            Phase::Empty => Err(Refusal::UnknownMember),
            Phase::Preparing(_) => {
                self.extend_session(turn, &beat.member);
                Err(Refusal::RebalanceInProgress)
            }
            Phase::Completing { .. } | Phase::Stable { .. } => {
                self.extend_session(turn, &beat.member);
                Ok(())
            }
        }
    }
}
