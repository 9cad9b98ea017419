//! `TierRange`: a stretch of a partition's log that is one object in the bucket.

use aquifer_types::{LeaderEpoch, Offset, TimestampMs};

/// What the quorum keeps of one object: where it lies in the log, its sizes, and what makes its name the only one of its kind.
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
}

impl TierRange {
    #[must_use]
    pub fn object_bytes(&self) -> u64 {
        u64::from(self.bytes) + u64::from(self.footer_bytes)
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
