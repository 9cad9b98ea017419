//! A consumer group's records: taken in by one and the same code when they are written and after a restart.

use crate::consumer::ConsumerGroup;
use crate::names::MemberId;
use crate::record::{ConsumerGroupValue, CurrentValue, GroupRecord, MemberValue, TargetValue};
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
            GroupRecord::Consumer { value: None, .. } => self.is_stored = false,
            GroupRecord::Member { member, value: Some(value), .. } => self.apply_member(member, value),
            GroupRecord::Member { member, value: None, .. } => self.forget(&member),
            GroupRecord::Target { value, .. } => {
                let value = value.unwrap_or_default();
                self.target_epoch = value.epoch;
                self.assigned_at = value.assigned_at;
            }
            GroupRecord::TargetMember { member, value: Some(target), .. } => {
                self.targets.insert(member, target);
            }
            GroupRecord::TargetMember { member, value: None, .. } => {
                self.targets.remove(&member);
            }
            GroupRecord::Current { member, value, .. } => self.apply_current(&member, value),
            GroupRecord::Pattern { pattern, value: Some(value), .. } => {
                self.patterns.insert(pattern, value);
            }
            GroupRecord::Pattern { pattern, value: None, .. } => {
                self.patterns.remove(&pattern);
            }
            GroupRecord::Offset { .. }
            | GroupRecord::Classic { .. }
            | GroupRecord::PartitionMetadata { .. } => {}
        }
    }

    fn apply_member(&mut self, id: MemberId, value: MemberValue) {
        if let Some(instance) = &value.instance {
            self.statics.insert(instance.clone(), id.clone());
        }
        self.members.entry(id).or_default().said = value;
    }

    fn forget(&mut self, id: &MemberId) {
        let Some(member) = self.members.remove(id) else { return };
        self.owners.release(&member.current);
        if let Some(instance) = &member.said.instance
            && self.statics.get(instance) == Some(id)
        {
            self.statics.remove(instance);
        }
    }

    /// The removal of an assignment comes before that of its member, or alone after compaction.
    fn apply_current(&mut self, id: &MemberId, value: Option<CurrentValue>) {
        let value = match (value, self.members.get(id)) {
            (None, None) => return,
            (value, _) => value.unwrap_or_default(),
        };
        let member = self.members.entry(id.clone()).or_default();
        self.owners.release(&member.current);
        self.owners.hold(&value);
        member.current = value;
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
        for (id, member) in &self.members {
            let value = Some(member.current.clone());
            records.push(GroupRecord::Current { group: group.clone(), member: id.clone(), value });
        }
        for (pattern, value) in &self.patterns {
            let (pattern, value) = (pattern.clone(), Some(value.clone()));
            records.push(GroupRecord::Pattern { group: group.clone(), pattern, value });
        }
        records
    }
}
