//! `ReplacedRanges`: ranges that others took the place of, until their objects are gone. Keeps I6.
//!
//! What a reader may still know stays for a while, like what lies below a log's start: unlinked, then being deleted once that
//! is decided, then forgotten. The oldest go first.

use aquifer_types::TimestampMs;

use crate::key::ObjectKey;
use crate::range::TierRange;
use crate::tier::TierRefusal;

/// A range that is not read any more, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplacedRange {
    pub range: TierRange,
    pub at: TimestampMs,
}

/// In the order in which they were replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplacedRanges {
    ranges: Vec<ReplacedRange>,
    /// So many of them, the oldest, are being deleted.
    deleting: usize,
}

impl ReplacedRanges {
    /// Puts them together from what was stored.
    #[must_use]
    pub fn restore(ranges: Vec<ReplacedRange>, deleting: usize) -> Option<ReplacedRanges> {
        (deleting <= ranges.len()).then_some(ReplacedRanges { ranges, deleting })
    }

    /// Those whose objects are there, as far as `is_there` says.
    #[must_use]
    pub fn surviving(&self, is_there: impl Fn(&TierRange) -> bool) -> ReplacedRanges {
        let (going, kept) = self.ranges.split_at(self.deleting);
        let there = |ranges: &[ReplacedRange]| -> Vec<ReplacedRange> {
            ranges.iter().filter(|replaced| is_there(&replaced.range)).copied().collect()
        };
        let going = there(going);
        let deleting = going.len();
        ReplacedRanges { ranges: [going, there(kept)].concat(), deleting }
    }

    pub(crate) fn by_itself(self) -> ReplacedRanges {
        let own = |replaced: ReplacedRange| ReplacedRange { range: replaced.range.by_itself(), ..replaced };
        ReplacedRanges { ranges: self.ranges.into_iter().map(own).collect(), ..self }
    }

    /// All that are not forgotten.
    #[must_use]
    pub fn all(&self) -> &[ReplacedRange] {
        &self.ranges
    }

    /// Those whose objects are to be deleted.
    #[must_use]
    pub fn deleting(&self) -> &[ReplacedRange] {
        &self.ranges[..self.deleting]
    }

    /// Those of which it is not decided yet that they go, replaced at this time or before.
    #[must_use]
    pub fn deletable(&self, replaced_by: TimestampMs) -> &[ReplacedRange] {
        let waiting = &self.ranges[self.deleting..];
        let old = waiting.iter().take_while(|replaced| replaced.at <= replaced_by).count();
        &waiting[..old]
    }

    pub(crate) fn push(&mut self, range: TierRange, at: TimestampMs) {
        self.ranges.push(ReplacedRange { range, at });
    }

    /// Decides that the ranges up to this one are deleted. One that is not there was forgotten before.
    pub(crate) fn delete(&mut self, upto: &ObjectKey, replaced_by: TimestampMs) -> Result<(), TierRefusal> {
        let Some(place) = self.place(upto) else { return Ok(()) };
        if place < self.deleting {
            return Ok(());
        }
        if place >= self.deleting + self.deletable(replaced_by).len() {
            return Err(TierRefusal::StillKnown);
        }
        self.deleting = place + 1;
        Ok(())
    }

    /// Forgets the ranges up to this one, whose objects are gone.
    pub(crate) fn forget(&mut self, upto: &ObjectKey) -> Result<Vec<TierRange>, TierRefusal> {
        let Some(place) = self.place(upto) else { return Ok(Vec::new()) };
        if place >= self.deleting {
            return Err(TierRefusal::StillKnown);
        }
        self.deleting -= place + 1;
        Ok(self.ranges.drain(..=place).map(|replaced| replaced.range).collect())
    }

    fn place(&self, key: &ObjectKey) -> Option<usize> {
        self.ranges.iter().position(|replaced| ObjectKey::of(&replaced.range) == *key)
    }
}

#[cfg(test)]
mod tests {
    use aquifer_types::{LeaderEpoch, Offset};

    use super::*;

    fn range(nonce: u64) -> TierRange {
        TierRange {
            base: Offset(0),
            end: Offset(10),
            bytes: 100,
            footer_bytes: 10,
            max_timestamp: TimestampMs(0),
            leader_epoch: LeaderEpoch(1),
            generation: 1,
            nonce,
            position: 0,
        }
    }

    fn key(nonce: u64) -> ObjectKey {
        ObjectKey::of(&range(nonce))
    }

    fn replaced(times: &[i64]) -> ReplacedRanges {
        let mut replaced = ReplacedRanges::default();
        for (nonce, at) in (0..).zip(times) {
            replaced.push(range(nonce), TimestampMs(*at));
        }
        replaced
    }

    #[test]
    fn what_was_replaced_is_deleted_after_its_time_and_then_forgotten() {
        let mut replaced = replaced(&[100, 200, 300]);

        assert_eq!(replaced.delete(&key(1), TimestampMs(199)), Err(TierRefusal::StillKnown));
        assert_eq!(replaced.delete(&key(1), TimestampMs(200)), Ok(()));
        assert_eq!(replaced.deleting().len(), 2);
        assert_eq!(replaced.delete(&key(0), TimestampMs(0)), Ok(()), "that was decided before");
        assert_eq!(replaced.forget(&key(2)), Err(TierRefusal::StillKnown));
        assert_eq!(replaced.forget(&key(0)), Ok(vec![range(0)]));
        assert_eq!((replaced.all().len(), replaced.deleting().len()), (2, 1));
        assert_eq!(replaced.forget(&key(0)), Ok(Vec::new()), "a retry finds nothing");
        assert_eq!(replaced.deletable(TimestampMs(300)).len(), 1);
    }

    #[test]
    fn what_is_gone_is_not_deleted_again() {
        let mut replaced = replaced(&[100, 200, 300]);
        replaced.delete(&key(1), TimestampMs(200)).unwrap();

        let left = replaced.surviving(|range| range.nonce != 0);

        assert_eq!((left.all().len(), left.deleting().len()), (2, 1));
        assert_eq!(ReplacedRanges::restore(left.all().to_vec(), 3), None);
    }
}
