//! ConsumerGroupHeartbeat: a member joins, says what it wants and owns, and hears what it is to own.

use super::check::AWAY;
use super::group::{ConsumerGroup, Member, plain};
use super::reconcile;
use crate::answer::{HeartbeatAnswer, Refusal};
use crate::input::ConsumerHeartbeat;
use crate::names::MemberId;
use crate::record::{CurrentValue, GroupRecord, MemberState, MemberValue, Partitions};
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
        self.hear_subscription(turn, beat);
        let before = self.members[&beat.member].current.clone();
        let Some(after) = self.reconciled(&beat.member, beat.owned.as_ref()) else {
            return Err(Refusal::FencedEpoch);
        };
        if after != before {
            let (group, member) = (self.id.clone(), beat.member.clone());
            self.write(turn, GroupRecord::Current { group, member, value: Some(after.clone()) });
        }
        self.rearm_member(turn, &beat.member);
        // Who says everything asks for everything; else it is told only what changed.
        let says_everything = beat.epoch == 0
            || (beat.owned.is_some() && beat.topics.is_some() && beat.rebalance_timeout_ms > 0);
        let owns_else = beat.owned.as_ref().is_some_and(|owned| *owned != plain(&after));
        let tells = says_everything || owns_else || after.assigned != before.assigned;
        Ok(HeartbeatAnswer {
            member: beat.member.clone(),
            epoch: after.epoch,
            heartbeat_interval_ms: turn.settings.consumer.heartbeat_interval_ms,
            session_timeout_ms: self.members[&beat.member].said.session_timeout_ms,
            assignment: tells.then(|| plain(&after)),
        })
    }

    /// Lets the member in, or finds that it is in already.
    fn admit(&mut self, turn: &mut Turn<'_>, beat: &ConsumerHeartbeat) -> Result<(), Refusal> {
        let joins = beat.epoch == 0;
        let holder = beat.instance.as_ref().and_then(|instance| self.statics.get(instance)).cloned();
        if let Some(holder) = holder.filter(|holder| *holder != beat.member) {
            if !joins {
                return Err(Refusal::FencedInstance);
            }
            if self.members[&holder].current.epoch != AWAY {
                return Err(Refusal::UnreleasedInstance);
            }
            self.take_over(turn, &holder, beat);
            return Ok(());
        }
        match self.members.get(&beat.member) {
            Some(member) if !joins => Self::check_epoch(member, beat.epoch, beat.owned.as_ref()),
            Some(_) => {
                self.begin_anew(turn, &beat.member);
                Ok(())
            }
            None if !joins => Err(Refusal::UnknownMember),
            None if self.members.len() >= turn.settings.consumer.size_max => Err(Refusal::GroupMaxSize),
            None => Ok(()),
        }
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
            revoking: std::collections::BTreeMap::new(),
        };
        let (group, member) = (self.id.clone(), id.clone());
        self.write(turn, GroupRecord::Current { group, member, value: Some(value) });
    }

    /// A static member is back under another id: it gets the place, the target and the partitions it left.
    fn take_over(&mut self, turn: &mut Turn<'_>, old: &MemberId, beat: &ConsumerHeartbeat) {
        let member = self.members[old].clone();
        let target = self.targets.get(old).cloned();
        self.write_removal(turn, old);
        let (group, id) = (self.id.clone(), beat.member.clone());
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
        let changed = is_new
            || before.topics != said.topics
            || before.pattern != said.pattern
            || before.assignor != said.assignor;
        if is_new || before != said {
            let (group, member) = (self.id.clone(), beat.member.clone());
            self.write(turn, GroupRecord::Member { group, member, value: Some(said) });
        }
        self.drop_unused_patterns(turn);
        self.ask_for_patterns(turn);
        if changed || self.topics_changed(turn) {
            self.bump(turn);
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

    fn drop_unused_patterns(&mut self, turn: &mut Turn<'_>) {
        let is_used = |pattern: &str| {
            self.members.values().any(|member| member.said.pattern.as_deref() == Some(pattern))
        };
        let unused: Vec<_> = self.patterns.keys().filter(|pattern| !is_used(pattern)).cloned().collect();
        for pattern in unused {
            let group = self.id.clone();
            self.write(turn, GroupRecord::Pattern { group, pattern, value: None });
        }
    }

    /// Asks for each pattern that was not resolved against the topics as they are.
    fn ask_for_patterns(&mut self, turn: &mut Turn<'_>) {
        let version = turn.topics.version();
        let used = self.members.values().filter_map(|member| member.said.pattern.clone());
        for pattern in used.collect::<std::collections::BTreeSet<_>>() {
            let asked = self.resolving.get(&pattern).is_some_and(|asked| *asked >= version);
            if !asked {
                self.resolving.insert(pattern.clone(), version);
                turn.resolve(self.id.clone(), pattern, version);
            }
        }
    }

    fn reconciled(&self, id: &MemberId, owned: Option<&Partitions>) -> Option<CurrentValue> {
        let none = Partitions::new();
        let target = self.targets.get(id).unwrap_or(&none);
        reconcile::next(&self.members[id], self.target_epoch, target, owned, &self.owners)
    }

    fn rearm_member(&mut self, turn: &mut Turn<'_>, id: &MemberId) {
        let Some(member) = self.members.get_mut(id) else { return };
        member.session_ends = turn.in_timeout(session_ms(turn, member));
        if member.current.state == MemberState::UnrevokedPartitions {
            let by = turn.in_timeout(member.said.rebalance_timeout_ms);
            let by = *member.yield_by.get_or_insert(by);
            turn.wake_by(by);
        } else {
            member.yield_by = None;
        }
    }
}

/// A member's own session timeout, or the group's.
pub(super) fn session_ms(turn: &Turn<'_>, member: &Member) -> i32 {
    member.said.session_timeout_ms.unwrap_or(turn.settings.consumer.session_timeout_ms)
}

/// What the member said before, with what it says now; absent fields have not changed.
fn merged(turn: &Turn<'_>, known: Option<&MemberValue>, beat: &ConsumerHeartbeat) -> MemberValue {
    let mut said = known.cloned().unwrap_or_default();
    let consumer = &turn.settings.consumer;
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
    if let Some(asked) = beat.session_timeout_ms {
        let allowed = consumer.own_session_timeout_min_ms
            ..=consumer.own_session_timeout_max_ms.max(consumer.own_session_timeout_min_ms);
        said.session_timeout_ms = Some(asked.clamp(*allowed.start(), *allowed.end()));
    }
    said
}
