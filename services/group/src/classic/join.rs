//! JoinGroup: who gets in, and who is told what it knows already.

use super::group::{ClassicGroup, Phase};
use super::member::Member;
use crate::answer::{Answer, Joined, JoinedMember, Refusal};
use crate::input::{Join, Ticket};
use crate::names::MemberId;
use crate::turn::Turn;

/// How long a new member may wait in its first Join: nobody can see that its client is gone.
const NEW_MEMBER_WAIT_MS: u64 = 300_000;

impl ClassicGroup {
    pub(crate) fn join(&mut self, turn: &mut Turn<'_>, ticket: Ticket, join: &Join) {
        if let Err(refusal) = self.try_join(turn, ticket, join) {
            turn.reply(ticket, Answer::Join(Err(refusal)));
        }
    }

    fn try_join(&mut self, turn: &mut Turn<'_>, ticket: Ticket, join: &Join) -> Result<(), Refusal> {
        if !self.has_room(turn.settings, join) {
            // Who was counted before the limit fell leaves, or the rest would wait for it.
            if self.members.contains_key(&join.member) {
                self.check_member(&join.member, join.instance.as_ref())?;
                self.remove_member(turn, &join.member, &Refusal::GroupMaxSize);
                self.after_removal(turn);
            }
            return Err(Refusal::GroupMaxSize);
        }
        if !self.supports(&join.protocol_type, &join.protocols) {
            return Err(Refusal::InconsistentProtocol);
        }
        if join.member.is_empty() {
            self.join_without_id(turn, ticket, join)
        } else {
            self.join_with_id(turn, ticket, join)
        }
    }

    fn join_without_id(&mut self, turn: &mut Turn<'_>, ticket: Ticket, join: &Join) -> Result<(), Refusal> {
        let fresh = join.fresh_id.clone();
        if let Some(instance) = &join.instance {
            if let Some(current) = self.statics.get(instance).cloned() {
                self.replace_static(turn, ticket, join, &current);
            } else {
                self.add_member(turn, ticket, fresh, join);
            }
            return Ok(());
        }
        if !join.needs_known_id {
            self.add_member(turn, ticket, fresh, join);
            return Ok(());
        }
        if self.pending.len() >= turn.settings.limits.pending_ids_max {
            return Err(Refusal::Full);
        }
        let until = turn.in_timeout(join.session_timeout_ms);
        self.pending.insert(fresh.clone(), until);
        Err(Refusal::MemberIdRequired { member: fresh })
    }

    fn join_with_id(&mut self, turn: &mut Turn<'_>, ticket: Ticket, join: &Join) -> Result<(), Refusal> {
        let member = &join.member;
        if self.pending.contains_key(member) {
            if join.instance.is_some() {
                return Err(Refusal::UnknownMember);
            }
            self.pending.remove(member);
            self.add_member(turn, ticket, member.clone(), join);
            return Ok(());
        }
        self.check_member(member, join.instance.as_ref())?;
        let is_unchanged = self.members[member].protocols == join.protocols;
        match self.phase {
            Phase::Empty => Err(Refusal::UnknownMember),
            Phase::Preparing(_) => {
                self.update_member(turn, ticket, join);
                self.maybe_complete_join(turn);
                Ok(())
            }
            // It may not have heard of the generation it is in.
            Phase::Completing { .. } if is_unchanged => {
                self.answer_join(turn, ticket, member, false);
                Ok(())
            }
            Phase::Stable { .. } if is_unchanged && !self.is_leader(member) => {
                self.answer_join(turn, ticket, member, false);
                Ok(())
            }
            Phase::Completing { .. } | Phase::Stable { .. } => {
                self.update_member(turn, ticket, join);
                self.prepare_rebalance(turn);
                Ok(())
            }
        }
    }

    fn add_member(&mut self, turn: &mut Turn<'_>, ticket: Ticket, id: MemberId, join: &Join) {
        let mut member = Member::new(join);
        member.join = Some(ticket);
        member.session_ends = turn.in_ms(NEW_MEMBER_WAIT_MS);
        if self.members.is_empty() {
            self.protocol_type = join.protocol_type.clone();
        }
        if let Some(instance) = &member.instance {
            self.statics.insert(instance.clone(), id.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        self.members.insert(id, Box::new(member));
        if let Phase::Preparing(preparing) = &mut self.phase
            && let Some(initial) = &mut preparing.initial
        {
            initial.someone_came = true;
        }
        self.rebalance_or_complete(turn);
    }

    /// A member joins again; a call of its that still waits is let go, for its client has given it up.
    pub(super) fn update_member(&mut self, turn: &mut Turn<'_>, ticket: Ticket, join: &Join) {
        let Some(member) = self.members.get_mut(&join.member) else { return };
        member.update(join);
        if let Some(earlier) = member.join.replace(ticket) {
            turn.reply(earlier, Answer::Join(Err(Refusal::RebalanceInProgress)));
        }
    }

    /// Tells a member of the generation it is in; the leader hears of everyone.
    pub(super) fn answer_join(
        &mut self,
        turn: &mut Turn<'_>,
        ticket: Ticket,
        member: &MemberId,
        skip_assignment: bool,
    ) {
        let is_leader = self.is_leader(member);
        let is_stable = matches!(self.phase, Phase::Stable { .. });
        let members =
            if is_leader && (!is_stable || skip_assignment) { self.joined_members() } else { Vec::new() };
        let joined = Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_else(|| MemberId::new("")),
            member: member.clone(),
            skip_assignment,
            members,
        };
        turn.reply(ticket, Answer::Join(Ok(joined)));
        self.extend_session(turn, member);
    }

    fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.iter().map(|(id, member)| JoinedMember {
            id: id.clone(),
            instance: member.instance.clone(),
            metadata: member.metadata(protocol),
        });
        members.collect()
    }
}
