//! A consumer group's records: taken in by one and the same code when they are written and after a restart.

use crate::consumer::ConsumerGroup;
use crate::consumer::group::{Member, held_bytes};
use crate::consumer::owners::Owners;
use crate::names::MemberId;
use crate::record::{
    ConsumerGroupValue, CurrentValue, GroupRecord, MemberValue, Partitions, PatternValue, TargetValue,
};
use crate::turn::Turn;

impl ConsumerGroup {
    /// Writes a record and takes it in.
    pub(super) fn write(&mut self, turn: &mut Turn<'_>, record: GroupRecord) {
        self.apply(record.clone());
        turn.records.push(record);
    }

    /// Takes a record in. Any that should have come before may be missing.
    pub(crate) fn apply(&mut self, record: GroupRecord) {
        match record {
            GroupRecord::Consumer { value: Some(value), .. } => {
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
                self.is_stored = true;
            }
            GroupRecord::Consumer { value: None, .. } => {
                self.epoch = 0;
                self.metadata_hash = 0;
                self.is_stored = false;
            }
            GroupRecord::Member { member, value: Some(value), .. } => self.apply_member(member, value),
            GroupRecord::Member { member, value: None, .. } => self.forget(&member),
            GroupRecord::Target { value, .. } => {
                let value = value.unwrap_or_default();
                self.target_epoch = value.epoch;
                self.assigned_at = value.assigned_at;
            }
            GroupRecord::TargetMember { member, value, .. } => self.apply_target(member, value),
            GroupRecord::Current { member, value, .. } => self.apply_current(member, value),
            GroupRecord::Pattern { pattern, value, .. } => {
                let more = value.as_ref().map_or(0, pattern_bytes);
                let before = match value {
                    Some(value) => self.patterns.insert(pattern, value),
                    None => self.patterns.remove(&pattern),
                };
                self.resize(before.as_ref().map_or(0, pattern_bytes), more);
            }
            GroupRecord::Offset { .. }
            | GroupRecord::Classic { .. }
            | GroupRecord::PartitionMetadata { .. } => {}
        }
    }

    fn apply_member(&mut self, id: MemberId, value: MemberValue) {
        let mut member = match self.leave_out(&id) {
            Some(member) => member,
            None => {
                let current = self.strays.remove(&id).unwrap_or_default();
                self.owners.hold(&current);
                Box::new(Member { current, ..Member::default() })
            }
        };
        member.said = value;
        if let Some(instance) = &member.said.instance {
            self.statics.insert(instance.clone(), id.clone());
        }
        if let Some(pattern) = &member.said.pattern {
            *self.pattern_users.entry(pattern.clone()).or_default() += 1;
        }
        self.guests += usize::from(member.is_guest());
        self.resize(0, member.bytes());
        self.members.insert(id, member);
    }

    fn forget(&mut self, id: &MemberId) {
        self.strays.remove(id);
        if let Some(member) = self.leave_out(id) {
            self.owners.release(&member.current);
        }
    }

    /// Takes a member out of all books but that of who holds what.
    fn leave_out(&mut self, id: &MemberId) -> Option<Box<Member>> {
        let member = self.members.remove(id)?;
        if let Some(instance) = &member.said.instance
            && self.statics.get(instance) == Some(id)
        {
            self.statics.remove(instance);
        }
        if let Some(pattern) = &member.said.pattern
            && let Some(users) = self.pattern_users.get_mut(pattern)
        {
            *users -= 1;
            if *users == 0 {
                self.pattern_users.remove(pattern);
                self.resolving.remove(pattern);
            }
        }
        self.guests -= usize::from(member.is_guest());
        self.resize(member.bytes(), 0);
        Some(member)
    }

    /// Where a member is means nothing without the member: its record was superseded and lies further on, or is gone.
    fn apply_current(&mut self, id: MemberId, value: Option<CurrentValue>) {
        let Some(member) = self.members.get_mut(&id) else {
            match value {
                Some(value) => self.strays.insert(id, value),
                None => self.strays.remove(&id),
            };
            return;
        };
        let value = value.unwrap_or_default();
        let before = member.bytes();
        self.owners.release(&member.current);
        self.owners.hold(&value);
        member.current = value;
        let after = member.bytes();
        self.resize(before, after);
    }

    fn apply_target(&mut self, member: MemberId, value: Option<Partitions>) {
        let more = value.as_ref().map_or(0, held_bytes);
        let before = match value {
            Some(target) => self.targets.insert(member, target),
            None => self.targets.remove(&member),
        };
        self.resize(before.as_ref().map_or(0, held_bytes), more);
    }

    fn resize(&mut self, less: usize, more: usize) {
        self.bytes = (self.bytes + more).saturating_sub(less);
    }

    /// Ends the loading: in a compacted log members may have been met in places they had left, and what was found of
    /// members that are gone is forgotten.
    pub(crate) fn settle(&mut self) {
        self.strays.clear();
        self.owners = Owners::default();
        for member in self.members.values() {
            self.owners.hold(&member.current);
        }
    }

    /// Everything that is stored of the group, but for its offsets.
    pub(crate) fn records(&self) -> Vec<GroupRecord> {
        let group = &self.id;
        let mut records = Vec::new();
        for (id, member) in &self.members {
            let member = &member.said;
            records.push(GroupRecord::Member {
                group: group.clone(),
                member: id.clone(),
                value: Some(member.clone()),
            });
        }
        if self.is_stored {
            let value = ConsumerGroupValue { epoch: self.epoch, metadata_hash: self.metadata_hash };
            records.push(GroupRecord::Consumer { group: group.clone(), value: Some(value) });
        }
        for (id, target) in &self.targets {
            let value = Some(target.clone());
            records.push(GroupRecord::TargetMember { group: group.clone(), member: id.clone(), value });
        }
        let target = TargetValue { epoch: self.target_epoch, assigned_at: self.assigned_at };
        records.push(GroupRecord::Target { group: group.clone(), value: Some(target) });
        let currents = self.members.iter().map(|(id, member)| (id, &member.current)).chain(&self.strays);
        for (id, current) in currents {
            let value = Some(current.clone());
            records.push(GroupRecord::Current { group: group.clone(), member: id.clone(), value });
        }
        for (pattern, value) in &self.patterns {
            let (pattern, value) = (pattern.clone(), Some(value.clone()));
            records.push(GroupRecord::Pattern { group: group.clone(), pattern, value });
        }
        records
    }
}

fn pattern_bytes(pattern: &PatternValue) -> usize {
    64 + pattern.topics.iter().map(|topic| 32 + topic.len()).sum::<usize>()
}
