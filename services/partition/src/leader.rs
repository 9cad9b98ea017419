//! `Leader`: what a replica knows while it leads, chiefly how far its followers are.

use std::collections::BTreeMap;

use aquifer_types::{LeaderEpoch, NodeId, Offset, PartitionEpoch};

use crate::input::Lead;
use crate::marks::Marks;

/// The state of a leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    pub epoch: LeaderEpoch,
    pub partition_epoch: PartitionEpoch,
    pub in_sync_min: usize,
    /// Where the log ended when this epoch began.
    pub epoch_start: Offset,
    /// The other replicas; this one stands in the in-sync set without an entry.
    pub followers: BTreeMap<NodeId, Progress>,
}

/// How far a follower is, as it said in this epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub in_sync: bool,
    pub fetched: Offset,
    pub flushed: Offset,
}

impl Leader {
    pub(crate) fn new(me: NodeId, lead: &Lead, epoch_start: Offset) -> Leader {
        let mut leader = Leader {
            epoch: lead.epoch,
            partition_epoch: lead.partition_epoch,
            in_sync_min: lead.in_sync_min,
            epoch_start,
            followers: BTreeMap::new(),
        };
        leader.change(me, lead);
        leader
    }

    /// Takes a newer replica and in-sync set. Who falls out of it says its positions anew, because it may have lost what
    /// it had.
    pub(crate) fn change(&mut self, me: NodeId, lead: &Lead) {
        self.partition_epoch = lead.partition_epoch;
        self.in_sync_min = lead.in_sync_min.max(1);
        self.followers.retain(|node, _| lead.replicas.contains(node));
        for &node in lead.replicas.iter().filter(|&&node| node != me) {
            let in_sync = lead.in_sync.contains(&node);
            let follower = self.followers.entry(node).or_default();
            if follower.in_sync && !in_sync {
                *follower = Progress::default();
            }
            follower.in_sync = in_sync;
        }
    }

    /// How many replicas are in sync, this one included.
    #[must_use]
    pub fn in_sync_count(&self) -> usize {
        1 + self.in_sync().count()
    }

    #[must_use]
    pub fn has_enough_in_sync(&self) -> bool {
        self.in_sync_count() >= self.in_sync_min
    }

    /// What every in-sync replica has made durable, this one included: one function for every size of the set.
    #[must_use]
    pub(crate) fn held_by_all(&self, marks: &Marks) -> Offset {
        self.in_sync()
            .map(|follower| marks.durable_of(follower.fetched, follower.flushed))
            .fold(marks.durable(), Offset::min)
    }

    fn in_sync(&self) -> impl Iterator<Item = &Progress> {
        self.followers.values().filter(|follower| follower.in_sync)
    }
}
