//! ConsumerGroupHeartbeat: a member joins, says what it wants and owns, and hears what it is to own.

use super::check::AWAY;
use super::group::{ConsumerGroup, plain};
use super::reconcile::Towards;
use crate::answer::{HeartbeatAnswer, Refusal};
use crate::input::ConsumerHeartbeat;
use crate::names::MemberId;
use crate::record::{CurrentValue, Epochs, GroupRecord, MemberState, MemberValue, Partitions};
use crate::turn::Turn;

impl ConsumerGroup {
    pub(crate) fn heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        beat: &ConsumerHeartbeat,
    ) -> Result<HeartbeatAnswer, Refusal> {
        if beat.epoch < 0 {
            return self.leave(turn, beat);
        }
        self.admit(turn, beat)?;
        if self.says_nothing_new(beat) {
            self.follow_topics(turn, false);
        } else {
            self.hear_subscription(turn, beat);
        }
        if let Some(answer) = self.unmoved(turn, beat) {
            return Ok(answer);
        }
        let before = self.members[&beat.member].current.clone();
        // A word from before the last step may have been on its way since then: it shows nothing of what is owned now.
        let is_late = beat.epoch != 0 && beat.epoch != before.epoch;
        let owned = beat.owned.as_ref().filter(|_| !is_late);
        let Some(after) = self.reconcile(turn, &beat.member, owned) else {
            return Err(Refusal::FencedEpoch);
        };
        self.rearm_member(turn, &beat.member);
        // Who says everything asks for everything; else it is told only what changed.
        let says_everything = beat.epoch == 0
            || (beat.owned.is_some() && beat.topics.is_some() && beat.rebalance_timeout_ms > 0);
        let owns_else = beat.owned.as_ref().is_some_and(|owned| *owned != plain(&after));
        let tells = says_everything || owns_else || after.assigned != before.assigned;
        Ok(HeartbeatAnswer {
            member: beat.member.clone(),
            epoch: after.epoch,
            heartbeat_interval_ms: turn.consumer(&self.id).heartbeat_interval_ms,
            session_timeout_ms: self.members[&beat.member].said.session_timeout_ms,
            assignment: tells.then(|| plain(&after)),
        })
    }

    /// Whether a heartbeat is that and no more: what the member said before holds.
    fn says_nothing_new(&self, beat: &ConsumerHeartbeat) -> bool {
        let says_something = beat.epoch == 0
            || beat.rebalance_timeout_ms > 0
            || beat.topics.is_some()
            || beat.pattern.is_some()
            || beat.assignor.is_some()
            || beat.rack.is_some()
            || beat.session_timeout_ms.is_some();
        let Some(member) = self.members.get(&beat.member) else { return false };
        let said = &member.said;
        !says_something
            && !member.is_guest()
            && (beat.instance.is_none() || beat.instance == said.instance)
            && beat.client_id == said.client_id
            && beat.client_host == said.client_host
    }

    /// The answer to a member that is where it is to be, and does not say what it owns: most heartbeats are like that, and
    /// cost no copy of what the member has.
    fn unmoved(&mut self, turn: &mut Turn<'_>, beat: &ConsumerHeartbeat) -> Option<HeartbeatAnswer> {
        let member = &self.members[&beat.member];
        let (current, epoch) = (&member.current, member.current.epoch);
        let is_there = current.state == MemberState::Stable
            && epoch == beat.epoch
            && epoch == self.target_epoch
            && epoch == self.epoch;
        if !is_there || beat.owned.is_some() {
            return None;
        }
        let session_timeout_ms = member.said.session_timeout_ms;
        self.rearm_member(turn, &beat.member);
        Some(HeartbeatAnswer {
            member: beat.member.clone(),
            epoch,
            heartbeat_interval_ms: turn.consumer(&self.id).heartbeat_interval_ms,
            session_timeout_ms,
            assignment: None,
        })
    }

    /// Leads the member on towards its target, and stores where it is then.
    pub(super) fn reconcile(
        &mut self,
        turn: &mut Turn<'_>,
        id: &MemberId,
        owned: Option<&Partitions>,
    ) -> Option<CurrentValue> {
        let none = Partitions::new();
        let member = &self.members[id];
        let is_target_old = self.epoch > self.target_epoch;
        let towards = Towards {
            target_epoch: self.target_epoch,
            target: self.targets.get(id).unwrap_or(&none),
            topics: is_target_old.then(|| self.topics_of(member, turn.topics)),
            owned,
            owners: &self.owners,
        };
        let after = towards.next(&member.current)?;
        if after != member.current {
            let (group, member) = (self.id.clone(), id.clone());
            self.write(turn, GroupRecord::Current { group, member, value: Some(after.clone()) });
        }
        Some(after)
    }

    /// Lets the member in, or finds that it is in already.
    fn admit(&mut self, turn: &mut Turn<'_>, beat: &ConsumerHeartbeat) -> Result<(), Refusal> {
        let joins = beat.epoch == 0;
        if !self.has_room_for_pattern(turn, beat) {
            return Err(Refusal::InvalidRequest("group uses too many patterns"));
        }
        let holder = beat.instance.as_ref().and_then(|instance| self.statics.get(instance)).cloned();
        if let Some(holder) = holder.filter(|holder| *holder != beat.member) {
            if !joins {
                return Err(Refusal::FencedInstance);
            }
            // A classic client that is static does not say that it leaves.
            let held_by = &self.members[&holder];
            if held_by.current.epoch != AWAY && !held_by.is_guest() {
                return Err(Refusal::UnreleasedInstance);
            }
            self.take_over(turn, &holder, &beat.member);
            return Ok(());
        }
        match self.members.get(&beat.member) {
            Some(_) if joins => {
                self.begin_anew(turn, &beat.member);
                Ok(())
            }
            Some(member) if member.is_guest() => Err(Refusal::UnknownMember),
            Some(member) => Self::check_epoch(member, beat.epoch, beat.owned.as_ref()),
            None if !joins => Err(Refusal::UnknownMember),
            None if self.members.len() >= turn.settings.consumer.size_max => Err(Refusal::GroupMaxSize),
            None => Ok(()),
        }
    }

    /// Every pattern is matched against all topics again and again.
    fn has_room_for_pattern(&self, turn: &Turn<'_>, beat: &ConsumerHeartbeat) -> bool {
        let Some(pattern) = &beat.pattern else { return true };
        pattern.is_empty()
            || self.pattern_users.contains_key(pattern)
            || self.pattern_users.len() < turn.settings.limits.patterns_max
    }

    /// A member that joins again under its own id owns nothing any more.
    fn begin_anew(&mut self, turn: &mut Turn<'_>, id: &MemberId) {
        let current = self.members[id].current.clone();
        if current.revoking.is_empty() && current.epoch >= 0 {
            return;
        }
        let value = CurrentValue {
            epoch: 0,
            previous_epoch: 0,
            state: MemberState::Stable,
            assigned: current.assigned,
            revoking: Epochs::new(),
        };
        let (group, member) = (self.id.clone(), id.clone());
        self.write(turn, GroupRecord::Current { group, member, value: Some(value) });
    }

    /// A static member is back under another id: it gets the place, the target and the partitions it left.
    pub(super) fn take_over(&mut self, turn: &mut Turn<'_>, old: &MemberId, new: &MemberId) {
        let member = self.members[old].clone();
        let target = self.targets.get(old).cloned();
        self.write_removal(turn, old);
        let (group, id) = (self.id.clone(), new.clone());
        self.write(
            turn,
            GroupRecord::Member { group: group.clone(), member: id.clone(), value: Some(member.said) },
        );
        self.write(
            turn,
            GroupRecord::TargetMember { group: group.clone(), member: id.clone(), value: target },
        );
        let value = CurrentValue { epoch: 0, previous_epoch: 0, ..member.current };
        self.write(turn, GroupRecord::Current { group, member: id, value: Some(value) });
    }

    /// Stores what the member says of itself, and begins a new epoch if anyone's topics have changed by it.
    fn hear_subscription(&mut self, turn: &mut Turn<'_>, beat: &ConsumerHeartbeat) {
        let known = self.members.get(&beat.member).map(|member| member.said.clone());
        let said = merged(turn, known.as_ref(), beat);
        let is_new = known.is_none();
        let before = known.unwrap_or_default();
        let changed = is_new || !reads_alike(&before, &said);
        if is_new || before != said {
            let (group, member) = (self.id.clone(), beat.member.clone());
            self.write(turn, GroupRecord::Member { group, member, value: Some(said) });
        }
        self.follow_topics(turn, changed);
    }

    /// Begins a new epoch if somebody reads something else, or if what is read has changed.
    pub(super) fn follow_topics(&mut self, turn: &mut Turn<'_>, changed: bool) {
        if changed || self.checked_version != Some(turn.topics.version()) {
            self.ask_for_patterns(turn);
        }
        if changed || self.topics_changed(turn) {
            self.bump(turn);
        } else {
            self.assign_if_due(turn);
        }
    }

    fn topics_changed(&mut self, turn: &Turn<'_>) -> bool {
        let version = turn.topics.version();
        if self.checked_version == Some(version) {
            return false;
        }
        self.checked_version = Some(version);
        self.hash(turn.topics) != self.metadata_hash
    }

    /// Asks for each pattern that was not resolved against the topics as they are.
    fn ask_for_patterns(&mut self, turn: &mut Turn<'_>) {
        let version = turn.topics.version();
        for pattern in self.pattern_users.keys() {
            let asked = self.resolving.get(pattern).is_some_and(|asked| *asked >= version);
            if !asked {
                self.resolving.insert(pattern.clone(), version);
                turn.resolve(self.id.clone(), pattern.clone(), version);
            }
        }
    }

    pub(super) fn rearm_member(&mut self, turn: &mut Turn<'_>, id: &MemberId) {
        let group_ms = turn.consumer(&self.id).session_timeout_ms;
        let Some(member) = self.members.get_mut(id) else { return };
        member.session_ends = turn.in_timeout(member.session_ms(group_ms));
        if member.current.state == MemberState::UnrevokedPartitions {
            let by = turn.in_timeout(member.said.rebalance_timeout_ms);
            let by = *member.yield_by.get_or_insert(by);
            turn.wake_by(by);
        } else {
            member.yield_by = None;
        }
    }
}

/// Whether nothing has changed that assignments depend on.
fn reads_alike(before: &MemberValue, said: &MemberValue) -> bool {
    before.topics == said.topics
        && before.pattern == said.pattern
        && before.assignor == said.assignor
        && before.rack == said.rack
}

/// What the member said before, with what it says now; absent fields have not changed.
fn merged(turn: &Turn<'_>, known: Option<&MemberValue>, beat: &ConsumerHeartbeat) -> MemberValue {
    let mut said = known.cloned().unwrap_or_default();
    let consumer = &turn.settings.consumer;
    said.classic = None;
    said.client_id = beat.client_id.clone();
    said.client_host = beat.client_host.clone();
    if beat.instance.is_some() {
        said.instance = beat.instance.clone();
    }
    if beat.rack.is_some() {
        said.rack = beat.rack.clone();
    }
    if beat.rebalance_timeout_ms > 0 {
        said.rebalance_timeout_ms = beat.rebalance_timeout_ms;
    }
    if let Some(topics) = &beat.topics {
        said.topics = topics.clone();
        said.topics.sort_unstable();
        said.topics.dedup();
    }
    if let Some(pattern) = &beat.pattern {
        said.pattern = (!pattern.is_empty()).then(|| pattern.clone());
    }
    if beat.assignor.is_some() {
        said.assignor = beat.assignor.clone();
    }
    // Who joins without asking for a session of its own has the group's.
    if beat.epoch == 0 {
        said.session_timeout_ms = None;
    }
    if let Some(asked) = beat.session_timeout_ms {
        let allowed = consumer.own_session_timeout_min_ms
            ..=consumer.own_session_timeout_max_ms.max(consumer.own_session_timeout_min_ms);
        said.session_timeout_ms = Some(asked.clamp(*allowed.start(), *allowed.end()));
    }
    said
}
