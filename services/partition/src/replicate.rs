//! Following: what a replica does with its leader's batches and answers.

use aquifer_record::BatchHeader;
use aquifer_types::{LeaderEpoch, Offset, TimestampMs};

use crate::core::Core;
use crate::effect::Effect;
use crate::roles::Role;

impl Core {
    /// Takes over a batch at the offsets it has; compaction may have left a gap before it.
    pub(crate) fn replicate(&mut self, now: TimestampMs, batch: &BatchHeader) {
        assert!(
            matches!(self.role, Role::Follower(_)),
            "replicated into a replica that does not follow (I3)"
        );
        assert!(batch.base_offset >= self.marks.log_end(), "offsets given twice (I3): {batch:?}");
        self.marks.append(batch.end());
        if batch.has_producer() {
            self.producers.accept(batch, now);
        }
    }

    /// Learns from an answer in the current epoch how far the log is committed and where it starts.
    pub(crate) fn leader_answered(
        &mut self,
        epoch: LeaderEpoch,
        high_watermark: Offset,
        log_start: Offset,
        effects: &mut Vec<Effect>,
    ) {
        let Role::Follower(follower) = &mut self.role else { return };
        if follower.epoch != epoch {
            return;
        }
        follower.heard_leader = true;
        let committed = high_watermark.min(self.marks.durable());
        self.commit(committed, effects);
        self.move_log_start(log_start.min(self.marks.high_watermark()), effects);
    }

    pub(crate) fn truncated(&mut self, to: Offset, effects: &mut Vec<Effect>) {
        assert!(!matches!(self.role, Role::Leader(_)), "a leader's log was cut (I2)");
        self.marks.truncate(to);
        self.committed_known = self.committed_known.min(self.marks.log_end());
        self.durability_waits = self.durability_waits.map(|upto| upto.min(self.marks.log_end()));
        self.durability_reached(effects);
        self.producers.rewind(self.marks.log_end());
    }
}
