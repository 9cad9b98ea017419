//! Guests: members of a consumer group that speak the classic protocol. One by one they are told to join again, and
//! are given what the group has assigned to them.

use super::group::{ConsumerGroup, Member, plain};
use super::reconcile::contains;
use crate::answer::{Joined, Left, Refusal, Synced};
use crate::embedded::{Named, Subscription, encode_assignment};
use crate::input::{Heartbeat, Join, Leaver, Sync, Topics};
use crate::names::{InstanceId, MemberId};
use crate::record::{ClassicMetadata, GroupRecord, MemberState, MemberValue, Partitions};
use crate::turn::Turn;

/// The protocol type of consumers; no other can be a guest.
pub(crate) const PROTOCOL_TYPE: &str = "consumer";

impl ConsumerGroup {
    /// Takes the guest in, or further on its way, and answers at once: nobody waits for the others.
    pub(crate) fn join_guest(&mut self, turn: &mut Turn<'_>, join: &Join) -> Result<Joined, Refusal> {
        let subscription = self.subscription_of(join)?;
        let owned = by_id(turn.topics, &subscription.owned);
        if self.owns_what_others_hold(&join.member, &owned) {
            // It has not heard of what was decided since: it must lose that before it goes on.
            if join.instance.is_none() {
                self.remove(turn, std::slice::from_ref(&join.member));
            }
            return Err(Refusal::UnknownMember);
        }
        let id = self.admit_guest(turn, join, &subscription)?;
        let known = self.members.get(&id).map(|member| member.said.clone());
        let said = said_by_guest(known.as_ref(), join, &subscription);
        let changed =
            known.as_ref().is_none_or(|known| known.topics != said.topics || known.rack != said.rack);
        if known.as_ref() != Some(&said) {
            let (group, member) = (self.id.clone(), id.clone());
            self.write(turn, GroupRecord::Member { group, member, value: Some(said) });
        }
        self.follow_topics(turn, changed);
        let Some(after) = self.reconcile(turn, &id, Some(&owned)) else { return Err(Refusal::UnknownMember) };
        self.rearm_member(turn, &id);
        self.answer_by(turn, &id);
        Ok(Joined {
            generation: after.epoch,
            protocol_type: PROTOCOL_TYPE.into(),
            protocol: join.protocols.first().map(|(name, _)| name.clone()),
            // The group assigns: nobody leads.
            leader: MemberId::new(""),
            member: id,
            skip_assignment: false,
            members: Vec::new(),
        })
    }

    /// What the guest subscribes to, if all guests could speak one protocol with it.
    fn subscription_of(&self, join: &Join) -> Result<Subscription, Refusal> {
        let (_, metadata) = join.protocols.first().ok_or(Refusal::InconsistentProtocol)?;
        let speaks = |member: &Member, name: &str| {
            let known = member.said.classic.as_ref();
            known.is_none_or(|known| known.protocols.iter().any(|(known, _)| **known == *name))
        };
        let fits =
            join.protocols.iter().any(|(name, _)| self.members.values().all(|member| speaks(member, name)));
        if *join.protocol_type != *PROTOCOL_TYPE || !fits {
            return Err(Refusal::InconsistentProtocol);
        }
        Subscription::decode(metadata).map_err(|_malformed| Refusal::InconsistentProtocol)
    }

    fn owns_what_others_hold(&self, id: &MemberId, owned: &Partitions) -> bool {
        let Some(guest) = self.members.get(id).filter(|member| member.is_guest()) else { return false };
        owned.iter().any(|(topic, partitions)| {
            partitions.iter().any(|partition| {
                self.owners.is_held(*topic, *partition)
                    && !contains(&guest.current.assigned, *topic, *partition)
                    && !contains(&guest.current.revoking, *topic, *partition)
            })
        })
    }

    /// Under which id the guest is a member.
    fn admit_guest(
        &mut self,
        turn: &mut Turn<'_>,
        join: &Join,
        subscription: &Subscription,
    ) -> Result<MemberId, Refusal> {
        let is_full = self.members.len() >= turn.settings.consumer.size_max;
        if let Some(instance) = &join.instance {
            return match self.statics.get(instance).cloned() {
                Some(holder) if join.member.is_empty() => {
                    self.take_over(turn, &holder, &join.fresh_id);
                    Ok(join.fresh_id.clone())
                }
                Some(holder) if holder != join.member => Err(Refusal::FencedInstance),
                Some(holder) => Ok(holder),
                None if !join.member.is_empty() => Err(Refusal::UnknownMember),
                None if is_full => Err(Refusal::GroupMaxSize),
                None => Ok(join.fresh_id.clone()),
            };
        }
        match self.members.get(&join.member) {
            Some(member) if member.is_guest() => Ok(join.member.clone()),
            Some(_) => Err(Refusal::UnknownMember),
            None if is_full => Err(Refusal::GroupMaxSize),
            None if join.member.is_empty() && join.needs_known_id => {
                Err(Refusal::MemberIdRequired { member: join.fresh_id.clone() })
            }
            None if join.member.is_empty() => Ok(join.fresh_id.clone()),
            // It was removed and goes on with what others may have got since: it must lose that first.
            None if subscription.owned.iter().any(|(_, owned)| !owned.is_empty()) => {
                Err(Refusal::UnknownMember)
            }
            None => Ok(join.member.clone()),
        }
    }

    /// What the guest is assigned, in its own words.
    pub(crate) fn sync_guest(&mut self, turn: &mut Turn<'_>, sync: &Sync) -> Result<Synced, Refusal> {
        let guest = self.guest(&sync.member, sync.instance.as_ref(), sync.generation)?;
        let mut protocols = guest.said.classic.iter().flat_map(|classic| &classic.protocols);
        // Before the group went over, all of them had agreed on one that need not be the guest's first.
        let chosen = match &sync.protocol {
            Some(said) => protocols.find(|(name, _)| name == said),
            None => protocols.next(),
        };
        let is_consumer = sync.protocol_type.as_ref().is_none_or(|said| **said == *PROTOCOL_TYPE);
        let (protocol, metadata) = chosen.filter(|_| is_consumer).ok_or(Refusal::InconsistentProtocol)?;
        let version = Subscription::decode(metadata).map_or(0, |subscription| subscription.version);
        let assignment = encode_assignment(version, &by_name(turn.topics, &plain(&guest.current)));
        let synced =
            Synced { protocol_type: PROTOCOL_TYPE.into(), protocol: Some(protocol.clone()), assignment };
        if let Some(guest) = self.members.get_mut(&sync.member) {
            guest.answers_by = None;
        }
        self.extend_session(turn, &sync.member);
        Ok(synced)
    }

    /// Tells the guest to join again if that would lead it on.
    pub(crate) fn beat_guest(&mut self, turn: &mut Turn<'_>, beat: &Heartbeat) -> Result<(), Refusal> {
        self.guest(&beat.member, beat.instance.as_ref(), beat.generation)?;
        self.follow_topics(turn, false);
        self.extend_session(turn, &beat.member);
        let guest = &self.members[&beat.member];
        let leads_on = guest.current.epoch < self.target_epoch
            || match guest.current.state {
                MemberState::Stable => false,
                MemberState::UnreleasedPartitions => !self.waits_for_others(&beat.member, guest),
                MemberState::UnrevokedPartitions | MemberState::Unknown => true,
            };
        if !leads_on {
            return Ok(());
        }
        if guest.answers_by.is_none() {
            self.answer_by(turn, &beat.member);
        }
        Err(Refusal::RebalanceInProgress)
    }

    fn waits_for_others(&self, id: &MemberId, guest: &Member) -> bool {
        let assigned = &guest.current.assigned;
        self.targets.get(id).into_iter().flatten().any(|(topic, partitions)| {
            partitions.iter().any(|partition| {
                let has = contains(assigned, *topic, *partition);
                !has && self.owners.is_held(*topic, *partition)
            })
        })
    }

    /// LeaveGroup: by id, or by an administrator who names the instance alone; whichever protocol the member speaks.
    pub(crate) fn leave_by_request(&mut self, turn: &mut Turn<'_>, leavers: &[Leaver]) -> Vec<Left> {
        let mut gone = Vec::new();
        let mut outcomes = Vec::new();
        for leaver in leavers {
            let outcome = self.leaver_id(leaver).map(|id| {
                if !gone.contains(&id) {
                    gone.push(id);
                }
            });
            outcomes.push(Left { member: leaver.member.clone(), instance: leaver.instance.clone(), outcome });
        }
        self.remove(turn, &gone);
        outcomes
    }

    fn leaver_id(&self, leaver: &Leaver) -> Result<MemberId, Refusal> {
        match &leaver.instance {
            Some(instance) if leaver.member.is_empty() => {
                self.statics.get(instance).cloned().ok_or(Refusal::UnknownMember)
            }
            instance => {
                self.check_identity(&leaver.member, instance.as_ref())?;
                Ok(leaver.member.clone())
            }
        }
    }

    /// The guest, if its instance and generation are its own.
    fn guest(
        &self,
        id: &MemberId,
        instance: Option<&InstanceId>,
        generation: i32,
    ) -> Result<&Member, Refusal> {
        let member = self.check_identity(id, instance)?;
        if !member.is_guest() {
            return Err(Refusal::UnknownMember);
        }
        if generation == member.current.epoch { Ok(member) } else { Err(Refusal::IllegalGeneration) }
    }

    /// The member, if it is one and its instance is its own.
    pub(super) fn check_identity(
        &self,
        id: &MemberId,
        instance: Option<&InstanceId>,
    ) -> Result<&Member, Refusal> {
        if let Some(instance) = instance
            && self.statics.get(instance).ok_or(Refusal::UnknownMember)? != id
        {
            return Err(Refusal::FencedInstance);
        }
        self.members.get(id).map(|member| &**member).ok_or(Refusal::UnknownMember)
    }

    fn extend_session(&mut self, turn: &mut Turn<'_>, id: &MemberId) {
        let group_ms = turn.consumer(&self.id).session_timeout_ms;
        if let Some(member) = self.members.get_mut(id) {
            member.session_ends = turn.in_timeout(member.session_ms(group_ms));
        }
    }

    /// Gives the guest its rebalance timeout to take the next step: to join, or to ask for its assignment.
    fn answer_by(&mut self, turn: &mut Turn<'_>, id: &MemberId) {
        if let Some(member) = self.members.get_mut(id) {
            member.answers_by = Some(turn.in_timeout(member.said.rebalance_timeout_ms));
        }
    }
}

fn said_by_guest(known: Option<&MemberValue>, join: &Join, subscription: &Subscription) -> MemberValue {
    let mut topics = subscription.topics.clone();
    topics.sort_unstable();
    topics.dedup();
    MemberValue {
        instance: join.instance.clone().or_else(|| known.and_then(|known| known.instance.clone())),
        rack: subscription.rack.clone(),
        client_id: join.client_id.clone(),
        client_host: join.client_host.clone(),
        topics,
        pattern: None,
        rebalance_timeout_ms: join.rebalance_timeout_ms,
        assignor: None,
        classic: Some(ClassicMetadata {
            session_timeout_ms: join.session_timeout_ms,
            protocols: join.protocols.clone(),
        }),
        session_timeout_ms: None,
    }
}

/// The partitions of those topics that exist.
pub(super) fn by_id(topics: &dyn Topics, named: &Named) -> Partitions {
    let mut partitions = Partitions::new();
    for (name, listed) in named {
        let Some((id, count)) = topics.topic(name) else { continue };
        let of_topic: &mut Vec<i32> = partitions.entry(id).or_default();
        of_topic.extend(listed.iter().copied().filter(|partition| (0..count).contains(partition)));
        of_topic.sort_unstable();
        of_topic.dedup();
    }
    partitions.retain(|_, listed| !listed.is_empty());
    partitions
}

pub(super) fn by_name(topics: &dyn Topics, partitions: &Partitions) -> Named {
    let named = partitions.iter().filter_map(|(id, listed)| {
        let name = topics.name(*id)?;
        Some((name.as_str().into(), listed.clone()))
    });
    named.collect()
}
