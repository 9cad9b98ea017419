//! What a classic group hands over when it goes on as a consumer group, and takes back when it returns.

use std::sync::Arc;

use super::group::{ClassicGroup, Phase, Preparing};
use super::member::Member;
use crate::answer::{Answer, Refusal};
use crate::consumer::PROTOCOL_TYPE;
use crate::embedded::{Named, Subscription, decode_assignment};
use crate::names::MemberId;
use crate::record::{ClassicMetadata, MemberValue};
use crate::turn::Turn;

/// The members of one protocol, as the other takes them in.
#[derive(Clone, Debug)]
pub(crate) struct Handover {
    pub(crate) generation: i32,
    pub(crate) members: Vec<HandedOver>,
}

#[derive(Clone, Debug)]
pub(crate) struct HandedOver {
    pub(crate) id: MemberId,
    pub(crate) said: MemberValue,
    /// What it was assigned last.
    pub(crate) assigned: Named,
    /// What it had when it joined last, and has still if it never heard of its assignment.
    pub(crate) owned: Named,
}

impl ClassicGroup {
    /// What a consumer group would start from; `None` where the members' metadata is not that of consumers.
    pub(crate) fn handover(&self) -> Option<Handover> {
        if *self.protocol_type != *PROTOCOL_TYPE {
            return None;
        }
        // Who waits in its first Join has nothing yet, and joins again as a guest.
        let members = self.members.iter().filter(|(_, member)| !member.is_new);
        let members = members.map(|(id, member)| self.handed_over(id, member)).collect::<Option<Vec<_>>>()?;
        Some(Handover { generation: self.generation, members })
    }

    fn handed_over(&self, id: &MemberId, member: &Member) -> Option<HandedOver> {
        let chosen = self.protocol.as_ref().and_then(|chosen| {
            member.protocols.iter().find(|(name, _)| name == chosen).map(|(_, metadata)| metadata)
        });
        let metadata = chosen.or(member.protocols.first().map(|(_, metadata)| metadata))?;
        let subscription = Subscription::decode(metadata).ok()?;
        let mut topics = subscription.topics;
        topics.sort_unstable();
        topics.dedup();
        let said = MemberValue {
            instance: member.instance.clone(),
            rack: subscription.rack,
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            topics,
            pattern: None,
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            assignor: None,
            classic: Some(ClassicMetadata {
                session_timeout_ms: member.session_timeout_ms,
                protocols: member.protocols.clone(),
            }),
            session_timeout_ms: None,
        };
        let assigned = decode_assignment(&member.assignment).ok()?;
        Some(HandedOver { id: id.clone(), said, assigned, owned: subscription.owned })
    }

    /// Lets everyone who waits here go: the group that follows hears them again.
    pub(crate) fn dismiss(&mut self, turn: &mut Turn<'_>) {
        for member in self.members.values_mut() {
            if let Some(ticket) = member.join.take() {
                turn.reply(ticket, Answer::Join(Err(Refusal::RebalanceInProgress)));
            }
            if let Some(ticket) = member.sync.take() {
                turn.reply(ticket, Answer::Sync(Err(Refusal::RebalanceInProgress)));
            }
        }
    }

    /// Takes back the members that are left, each with its assignment in its own words, and has them agree anew.
    pub(crate) fn take_back(
        &mut self,
        turn: &mut Turn<'_>,
        generation: i32,
        members: Vec<(MemberId, MemberValue, Arc<[u8]>)>,
    ) {
        self.protocol_type = Arc::from(PROTOCOL_TYPE);
        self.generation = generation;
        for (id, said, assignment) in members {
            let Some(classic) = said.classic else { continue };
            let member = Member {
                instance: said.instance,
                client_id: said.client_id,
                client_host: said.client_host,
                session_timeout_ms: classic.session_timeout_ms,
                rebalance_timeout_ms: said.rebalance_timeout_ms,
                protocols: classic.protocols,
                assignment,
                join: None,
                sync: None,
                has_synced: true,
                is_new: false,
                session_ends: turn.in_timeout(classic.session_timeout_ms),
            };
            self.members.insert(id, Box::new(member));
        }
        self.protocol = self.vote();
        self.state_since = turn.now.wall;
        // Without a leader it is known after a restart, too, that the members have not agreed.
        self.leader = None;
        self.store(turn);
        self.prepare_rebalance(turn);
    }

    /// Members that were taken back and have not agreed since are awaited anew.
    pub(super) fn await_agreement(&mut self, turn: &mut Turn<'_>) {
        if self.leader.is_some() || self.members.is_empty() {
            return;
        }
        let timeout = u64::try_from(self.rebalance_timeout_ms()).unwrap_or(0).max(1);
        self.phase = Phase::Preparing(Preparing { join_by: turn.in_ms(timeout), initial: None });
    }
}
