//! `Role`, and how a replica changes it. Keeps I5: a smaller leader epoch changes nothing.

use aquifer_types::{LeaderEpoch, NodeId, Offset, PartitionEpoch};

use crate::core::Core;
use crate::effect::{Effect, Refusal};
use crate::input::{Follow, Lead};
use crate::leader::Leader;

/// What a replica is to its partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Told nothing yet.
    Unassigned,
    /// Not fit to serve, whatever the quorum says; only recovery makes it another.
    Offline,
    Leader(Leader),
    Follower(Follower),
}

/// The state of a follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follower {
    pub epoch: LeaderEpoch,
    pub partition_epoch: PartitionEpoch,
    pub leader: Option<NodeId>,
    /// The leader answered in this epoch without divergence, so the high watermark means something.
    pub heard_leader: bool,
}

impl Role {
    /// The epoch this replica leads in.
    #[must_use]
    pub fn leads_in(&self) -> Option<LeaderEpoch> {
        match self {
            Role::Leader(leader) => Some(leader.epoch),
            _ => None,
        }
    }
}

impl Core {
    pub(crate) fn lead(&mut self, lead: &Lead, effects: &mut Vec<Effect>) {
        if !self.is_news(lead.epoch, lead.partition_epoch) {
            return;
        }
        match &mut self.role {
            Role::Leader(leader) if leader.epoch == lead.epoch => leader.change(self.me, lead),
            _ => {
                let leader = Leader::new(self.me, lead, self.marks.log_end());
                self.role = Role::Leader(leader);
                let committed = self.known_committed(lead.tier_end);
                self.commit(committed, effects);
            }
        }
        self.advance(effects);
    }

    pub(crate) fn follow(&mut self, follow: Follow, effects: &mut Vec<Effect>) {
        if !self.is_news(follow.epoch, follow.partition_epoch) {
            return;
        }
        let Follow { epoch, partition_epoch, leader } = follow;
        let heard_leader = match &self.role {
            Role::Follower(follower) => follower.epoch == epoch && follower.heard_leader,
            _ => false,
        };
        self.role = Role::Follower(Follower { epoch, partition_epoch, leader, heard_leader });
        if !heard_leader {
            self.marks.forget_commits();
        }
        self.pending.refuse_all(Refusal::NotLeader, effects);
    }

    pub(crate) fn go_offline(&mut self, effects: &mut Vec<Effect>) {
        self.role = Role::Offline;
        self.pending.refuse_all(Refusal::Offline, effects);
    }

    /// Where a new leader's high watermark starts. What is not durable here is not committed here, whoever said so.
    fn known_committed(&self, tier_end: Offset) -> Offset {
        self.committed_known.max(tier_end).max(self.marks.log_start()).min(self.marks.durable())
    }

    /// Notes the epochs if they are newer than all before, and says whether they make a role. Keeps I5.
    fn is_news(&mut self, epoch: LeaderEpoch, partition_epoch: PartitionEpoch) -> bool {
        let newer =
            self.told.is_none_or(|(leader, partition)| epoch >= leader && partition_epoch > partition);
        if newer {
            self.told = Some((epoch, partition_epoch));
        }
        newer && self.role != Role::Offline
    }
}
