//! `Partition`: who keeps copies of a partition, who leads it, and in which epochs.

use aquifer_types::{LeaderEpoch, NodeId, PartitionEpoch};

/// Copies a partition may have, those of a running reassignment included.
pub const REPLICAS_MAX: usize = 16;

const INLINE: usize = 3;
const NO_LEADER: u8 = u8::MAX;

/// A place in the cluster's table of data directories (`Image::directory`): 4 bytes instead of 16 in every replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectorySlot(pub u32);

/// One copy: on which node, and in which of its directories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replica {
    pub node: NodeId,
    pub directory: DirectorySlot,
}

/// Whether the leader took over with everything that was acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecoveryState {
    #[default]
    Recovered,
    /// The leader may lack acknowledged records and has not yet said that it dealt with that.
    Recovering,
}

/// The state of one partition, small because there may be a million: sets of nodes are bits over the replicas, so
/// that a member of any set is a replica by construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    replicas: Replicas,
    pub(crate) leader_epoch: LeaderEpoch,
    pub(crate) partition_epoch: PartitionEpoch,
    pub(crate) adding: Members,
    pub(crate) removing: Members,
    pub(crate) isr: Members,
    pub(crate) elr: Members,
    pub(crate) last_known_elr: Members,
    leader: u8,
    pub(crate) recovery: RecoveryState,
}

/// Three replicas, the usual number, need no allocation of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Replicas {
    Few { count: u8, replicas: [Replica; INLINE] },
    Many(Box<[Replica]>),
}

/// A set of a partition's replicas, by their places in its list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members(u16);

impl Members {
    pub(crate) const NONE: Members = Members(0);

    pub(crate) fn one(place: usize) -> Members {
        Members(1 << place)
    }

    pub(crate) fn contains(self, place: usize) -> bool {
        self.0 & (1 << place) != 0
    }

    pub(crate) fn with(self, other: Members) -> Members {
        Members(self.0 | other.0)
    }

    pub(crate) fn without(self, other: Members) -> Members {
        Members(self.0 & !other.0)
    }

    pub(crate) fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn bits(self) -> u16 {
        self.0
    }

    /// The set with these bits, if all name one of `replicas` replicas.
    pub(crate) fn from_bits(bits: u16, replicas: usize) -> Option<Members> {
        (u32::from(bits) < 1 << replicas).then_some(Members(bits))
    }
}

impl Partition {
    /// A new partition: no leader yet, nobody in sync. Lists longer than `REPLICAS_MAX` were refused before.
    pub(crate) fn new(list: &[Replica]) -> Partition {
        assert!(list.len() <= REPLICAS_MAX, "a partition of more replicas than its sets have bits");
        let replicas = match u8::try_from(list.len()) {
            Ok(count) if list.len() <= INLINE => {
                let mut replicas = [Replica::default(); INLINE];
                replicas[..list.len()].copy_from_slice(list);
                Replicas::Few { count, replicas }
            }
            _ => Replicas::Many(list.into()),
        };
        Partition {
            replicas,
            leader_epoch: LeaderEpoch(0),
            partition_epoch: PartitionEpoch(0),
            adding: Members::NONE,
            removing: Members::NONE,
            isr: Members::NONE,
            elr: Members::NONE,
            last_known_elr: Members::NONE,
            leader: NO_LEADER,
            recovery: RecoveryState::Recovered,
        }
    }

    /// The copies, preferred leader first.
    #[must_use]
    pub fn replicas(&self) -> &[Replica] {
        match &self.replicas {
            Replicas::Few { count, replicas } => &replicas[..usize::from(*count)],
            Replicas::Many(replicas) => replicas,
        }
    }

    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        self.leader_place().map(|place| self.replicas()[place].node)
    }

    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    #[must_use]
    pub fn partition_epoch(&self) -> PartitionEpoch {
        self.partition_epoch
    }

    #[must_use]
    pub fn recovery(&self) -> RecoveryState {
        self.recovery
    }

    /// Members of the in-sync set, in the order of the replicas.
    pub fn isr(&self) -> impl Iterator<Item = NodeId> {
        self.nodes(self.isr)
    }

    /// Replicas outside the in-sync set that still hold everything acknowledged.
    pub fn elr(&self) -> impl Iterator<Item = NodeId> {
        self.nodes(self.elr)
    }

    /// Replicas that were eligible before they stopped uncleanly.
    pub fn last_known_elr(&self) -> impl Iterator<Item = NodeId> {
        self.nodes(self.last_known_elr)
    }

    /// Replicas that a running reassignment adds.
    pub fn adding(&self) -> impl Iterator<Item = NodeId> {
        self.nodes(self.adding)
    }

    /// Replicas that a running reassignment takes away.
    pub fn removing(&self) -> impl Iterator<Item = NodeId> {
        self.nodes(self.removing)
    }

    #[must_use]
    pub fn has_replica(&self, node: NodeId) -> bool {
        self.place_of(node).is_some()
    }

    #[must_use]
    pub fn is_in_sync(&self, node: NodeId) -> bool {
        self.place_of(node).is_some_and(|place| self.isr.contains(place))
    }

    pub(crate) fn place_of(&self, node: NodeId) -> Option<usize> {
        self.replicas().iter().position(|replica| replica.node == node)
    }

    pub(crate) fn leader_place(&self) -> Option<usize> {
        (self.leader != NO_LEADER).then_some(usize::from(self.leader))
    }

    pub(crate) fn set_leader(&mut self, place: Option<usize>) {
        self.leader = place.and_then(|place| u8::try_from(place).ok()).unwrap_or(NO_LEADER);
    }

    fn nodes(&self, members: Members) -> impl Iterator<Item = NodeId> {
        self.replicas()
            .iter()
            .enumerate()
            .filter(move |(place, _)| members.contains(*place))
            .map(|(_, replica)| replica.node)
    }

    /// Heap bytes beyond the struct itself.
    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.replicas {
            Replicas::Few { .. } => 0,
            Replicas::Many(replicas) => size_of_val::<[Replica]>(replicas),
        }
    }
}
