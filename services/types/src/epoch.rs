//! Epochs: numbers that only grow and fence whoever holds a smaller one.

use std::fmt;

macro_rules! epoch {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

epoch!(
    /// Fences leaders of one partition: rises with each election.
    LeaderEpoch(i32)
);
epoch!(
    /// Stands in a batch's bytes and drives divergence; a mirror keeps its source's.
    BatchEpoch(i32)
);
epoch!(
    /// Rises with every change of a partition's state in the quorum.
    PartitionEpoch(i32)
);
epoch!(
    /// The log index of a broker's registration: one per process incarnation.
    BrokerEpoch(i64)
);
epoch!(
    /// Fences incarnations of one producer id.
    ProducerEpoch(i16)
);

impl LeaderEpoch {
    /// The epoch of the next election.
    #[must_use]
    pub fn next(self) -> LeaderEpoch {
        LeaderEpoch(self.0 + 1)
    }
}

impl PartitionEpoch {
    /// The epoch after the next change.
    #[must_use]
    pub fn next(self) -> PartitionEpoch {
        PartitionEpoch(self.0 + 1)
    }
}

impl From<LeaderEpoch> for BatchEpoch {
    /// A leader stamps its own epoch into what it appends.
    fn from(epoch: LeaderEpoch) -> BatchEpoch {
        BatchEpoch(epoch.0)
    }
}
