//! `TierRange`: a stretch of a partition's log that lies in the bucket as one piece.

use aquifer_types::{LeaderEpoch, Offset, TimestampMs};

/// What the quorum keeps of it: where it lies in the log, its sizes, and what makes its name the only one of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TierRange {
    pub base: Offset,
    pub end: Offset,
    /// Of the log's bytes, which come first in the object.
    pub bytes: u32,
    /// Of everything behind them.
    pub footer_bytes: u32,
    pub max_timestamp: TimestampMs,
    /// The leader's that uploaded it.
    pub leader_epoch: LeaderEpoch,
    /// The upload generation of the broker: names of generations below a floor are never committed.
    pub generation: u64,
    /// Drawn at random for each upload: two uploads never share a name.
    pub nonce: u64,
    /// Where it begins in the bundle that holds it; 0 where it is an object of its own, as no range begins a bundle.
    pub position: u32,
}

impl TierRange {
    /// With everything that explains it.
    #[must_use]
    pub fn object_bytes(&self) -> u64 {
        u64::from(self.bytes) + u64::from(self.footer_bytes)
    }

    /// Where its bytes begin in the object.
    #[must_use]
    pub fn begins(&self) -> u64 {
        u64::from(self.position)
    }

    /// The same range once it was copied to an object of its own.
    #[must_use]
    pub fn by_itself(self) -> TierRange {
        TierRange { position: 0, ..self }
    }

    /// Whether it holds the offset.
    #[must_use]
    pub fn holds(&self, offset: Offset) -> bool {
        self.base <= offset && offset < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_takes_no_more_than_the_quorum_is_promised() {
        assert!(size_of::<TierRange>() <= 64);
    }
}
