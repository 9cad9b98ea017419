//! How members go: by their own word, for a moment, or because they are silent.

use super::check::AWAY;
use super::group::ConsumerGroup;
use crate::answer::{HeartbeatAnswer, Refusal};
use crate::input::ConsumerHeartbeat;
use crate::names::MemberId;
use crate::record::{CurrentValue, GroupRecord};
use crate::turn::Turn;

impl ConsumerGroup {
    pub(super) fn leave(
        &mut self,
        turn: &mut Turn<'_>,
        beat: &ConsumerHeartbeat,
    ) -> Result<HeartbeatAnswer, Refusal> {
        if let Some(instance) = &beat.instance {
            let holder = self.statics.get(instance).ok_or(Refusal::UnknownMember)?;
            if *holder != beat.member {
                return Err(Refusal::FencedInstance);
            }
        }
        let member = self.members.get(&beat.member).ok_or(Refusal::UnknownMember)?;
        if beat.epoch == AWAY && member.is_guest() {
            return Err(Refusal::UnknownMember);
        }
        if beat.epoch == AWAY {
            // It keeps what it has until it is back or its session ends.
            let current = member.current.clone();
            let value = CurrentValue { epoch: AWAY, revoking: Default::default(), ..current };
            let (group, id) = (self.id.clone(), beat.member.clone());
            self.write(turn, GroupRecord::Current { group, member: id, value: Some(value) });
        } else {
            self.remove(turn, std::slice::from_ref(&beat.member));
        }
        Ok(HeartbeatAnswer {
            member: beat.member.clone(),
            epoch: beat.epoch,
            heartbeat_interval_ms: 0,
            session_timeout_ms: None,
            assignment: None,
        })
    }

    /// Removes these members, and gives what they had to the others.
    pub(super) fn remove(&mut self, turn: &mut Turn<'_>, ids: &[MemberId]) {
        for id in ids {
            self.write_removal(turn, id);
        }
        // Who is left may go back to the classic protocol, and then agrees without a target.
        if !ids.is_empty() && !self.is_left_to_guests(turn.settings) {
            self.bump(turn);
        }
    }

    pub(super) fn write_removal(&mut self, turn: &mut Turn<'_>, id: &MemberId) {
        let group = &self.id.clone();
        let (current, target, member) = (id.clone(), id.clone(), id.clone());
        self.write(turn, GroupRecord::Current { group: group.clone(), member: current, value: None });
        self.write(turn, GroupRecord::TargetMember { group: group.clone(), member: target, value: None });
        self.write(turn, GroupRecord::Member { group: group.clone(), member, value: None });
    }

    /// Removes the group's own records, nobody being in it.
    pub(crate) fn remove_group(&mut self, turn: &mut Turn<'_>) {
        let group = self.id.clone();
        let patterns: Vec<_> = self.patterns.keys().cloned().collect();
        for pattern in patterns {
            self.write(turn, GroupRecord::Pattern { group: group.clone(), pattern, value: None });
        }
        self.write(turn, GroupRecord::Target { group: group.clone(), value: None });
        self.write(turn, GroupRecord::Consumer { group, value: None });
    }
}
