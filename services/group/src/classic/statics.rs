//! Static members: a client that comes back under its instance's name takes its place over.

use super::group::{ClassicGroup, Phase};
use crate::answer::{Answer, Joined, JoinedMember, Refusal};
use crate::input::{Join, Ticket};
use crate::names::MemberId;
use crate::turn::Turn;

impl ClassicGroup {
    /// Gives the place of `old` to the one that joins; in a stable group nobody else notices.
    pub(super) fn replace_static(
        &mut self,
        turn: &mut Turn<'_>,
        ticket: Ticket,
        join: &Join,
        old: &MemberId,
    ) {
        let fresh = join.fresh_id.clone();
        let Some(mut member) = self.members.remove(old) else { return };
        // Whoever still waits under the old id has lost the instance.
        if let Some(earlier) = member.join.take() {
            turn.reply(earlier, Answer::Join(Err(Refusal::FencedInstance)));
        }
        if let Some(earlier) = member.sync.take() {
            turn.reply(earlier, Answer::Sync(Err(Refusal::FencedInstance)));
        }
        let was_leader = self.is_leader(old);
        if was_leader {
            self.leader = Some(fresh.clone());
        }
        if let Some(instance) = &join.instance {
            self.statics.insert(instance.clone(), fresh.clone());
        }
        member.update(join);
        member.is_new = false;
        self.members.insert(fresh.clone(), member);
        self.extend_session(turn, &fresh);
        let keeps_protocol = self.vote() == self.protocol;
        match self.phase {
            Phase::Stable { .. } if keeps_protocol => {
                self.store(turn);
                let leader_shown =
                    if was_leader && !join.can_skip_assignment { Some(old.clone()) } else { None };
                self.answer_replaced(turn, ticket, &fresh, leader_shown);
            }
            Phase::Stable { .. } | Phase::Completing { .. } => {
                self.await_join(ticket, &fresh);
                self.prepare_rebalance(turn);
            }
            Phase::Preparing(_) | Phase::Empty => {
                self.await_join(ticket, &fresh);
                self.rebalance_or_complete(turn);
            }
        }
    }

    fn await_join(&mut self, ticket: Ticket, member: &MemberId) {
        if let Some(member) = self.members.get_mut(member) {
            member.join = Some(ticket);
        }
    }

    /// A leader that came back must not assign anew: it is told to skip that, or, too old to understand, that the
    /// one before it still leads.
    fn answer_replaced(
        &mut self,
        turn: &mut Turn<'_>,
        ticket: Ticket,
        member: &MemberId,
        leader_shown: Option<MemberId>,
    ) {
        let is_leader = self.is_leader(member);
        let Some(leader) = leader_shown else {
            return self.answer_join(turn, ticket, member, is_leader);
        };
        let joined = Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader,
            member: member.clone(),
            skip_assignment: false,
            members: Vec::<JoinedMember>::new(),
        };
        turn.reply(ticket, Answer::Join(Ok(joined)));
    }
}
