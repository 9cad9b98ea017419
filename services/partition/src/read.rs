//! What a leader lets its readers see.

use aquifer_types::{LeaderEpoch, Offset};

use crate::core::Core;
use crate::leader::Leader;
use crate::roles::Role;

/// Whether a reader wants records of transactions that may yet be aborted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Isolation {
    #[default]
    ReadUncommitted,
    ReadCommitted,
}

/// What a fetch from an offset finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readable {
    /// Records up to here.
    Read {
        upto: Offset,
    },
    /// Records up to here, which only the tier still has.
    Cold {
        upto: Offset,
    },
    /// Nothing yet; `Effect::Wake` says when to look again.
    Wait,
    OutOfRange,
    WrongEpoch(WrongEpoch),
    NotLeader,
    Offline,
}

/// What a question for the end of the log finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latest {
    End(Offset),
    /// A new leader does not know yet how far the last one had committed.
    NotYet,
    WrongEpoch(WrongEpoch),
    NotLeader,
    Offline,
}

/// The reader knows another leader epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongEpoch {
    /// An older one: it must learn of the new leader. Keeps I5.
    Fenced,
    /// A newer one: this replica must.
    Unknown,
}

impl Core {
    /// What a reader that continues at `from` finds.
    #[must_use]
    pub fn readable(&self, from: Offset, isolation: Isolation, expected: Option<LeaderEpoch>) -> Readable {
        let leader = match &self.role {
            Role::Leader(leader) => leader,
            Role::Follower(_) | Role::Unassigned => return Readable::NotLeader,
            Role::Offline => return Readable::Offline,
        };
        if let Err(wrong) = leader.compare(expected) {
            return Readable::WrongEpoch(wrong);
        }
        if from < self.marks.log_start() || from > self.marks.log_end() {
            return Readable::OutOfRange;
        }
        let upto = self.visible(isolation);
        if from < self.marks.local_start() && from < upto {
            return Readable::Cold { upto: upto.min(self.marks.local_start()) };
        }
        if from < upto { Readable::Read { upto } } else { Readable::Wait }
    }

    /// Where readers come to the end.
    #[must_use]
    pub fn latest(&self, isolation: Isolation, expected: Option<LeaderEpoch>) -> Latest {
        let leader = match &self.role {
            Role::Leader(leader) => leader,
            Role::Follower(_) | Role::Unassigned => return Latest::NotLeader,
            Role::Offline => return Latest::Offline,
        };
        if let Err(wrong) = leader.compare(expected) {
            return Latest::WrongEpoch(wrong);
        }
        if self.marks.high_watermark() < leader.epoch_start {
            return Latest::NotYet;
        }
        Latest::End(self.visible(isolation))
    }

    fn visible(&self, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::ReadUncommitted => self.marks.high_watermark(),
            Isolation::ReadCommitted => self.marks.last_stable_offset(),
        }
    }
}

impl Leader {
    fn compare(&self, expected: Option<LeaderEpoch>) -> Result<(), WrongEpoch> {
        match expected {
            Some(named) if named < self.epoch => Err(WrongEpoch::Fenced),
            Some(named) if named > self.epoch => Err(WrongEpoch::Unknown),
            _ => Ok(()),
        }
    }
}
