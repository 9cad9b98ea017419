//! `Tier`: a partition's ranges, from what may be read down to what is being deleted. Keeps I4 and I6.
//!
//! In the order of offsets: `gone_upto <= deleting_upto <= start <= end`. At or above `start` ranges are live; from
//! `deleting_upto` on they are unlinked, kept for readers that still know them; below that they are being deleted.

use aquifer_types::{Offset, TimestampMs};

use crate::range::TierRange;

/// What the quorum keeps of a tiered partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    start: Offset,
    end: Offset,
    deleting_upto: Offset,
    /// Ranges that exist, oldest first, each where its predecessor ends.
    ranges: Vec<TierRange>,
    /// When `start` took which value, oldest first; what lies below a value may be deleted some time after.
    unlinked: Vec<(Offset, TimestampMs)>,
}

/// A change that does not fit the ranges there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TierRefusal {
    #[error("the tier ends at {end}, not at {expected}")]
    End { end: Offset, expected: Offset },
    #[error("the range does not go on where the tier ends")]
    Range,
    #[error("ranges up to {0} are not to be deleted yet")]
    NotYet(Offset),
}

impl Tier {
    /// The tier of a log that starts at `start`, with nothing in it.
    #[must_use]
    pub fn new(start: Offset) -> Tier {
        // Whoever names an offset below zero is refused by what follows.
        let start = start.max(Offset::ZERO);
        Tier { start, end: start, deleting_upto: start, ranges: Vec::new(), unlinked: Vec::new() }
    }

    /// Puts one together from what was stored.
    pub fn restore(
        start: Offset,
        end: Offset,
        deleting_upto: Offset,
        ranges: Vec<TierRange>,
        unlinked: Vec<(Offset, TimestampMs)>,
    ) -> Option<Tier> {
        let tier = Tier { start, end, deleting_upto, ranges, unlinked };
        tier.is_sound().then_some(tier)
    }

    /// The first offset that may be read.
    #[must_use]
    pub fn start(&self) -> Offset {
        self.start
    }

    /// Everything below is in the bucket.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.end
    }

    #[must_use]
    pub fn deleting_upto(&self) -> Offset {
        self.deleting_upto
    }

    /// Every range that exists, also unlinked ones and those being deleted.
    #[must_use]
    pub fn ranges(&self) -> &[TierRange] {
        &self.ranges
    }

    #[must_use]
    pub fn unlinked(&self) -> &[(Offset, TimestampMs)] {
        &self.unlinked
    }

    /// The ranges with something to be read.
    #[must_use]
    pub fn live(&self) -> &[TierRange] {
        &self.ranges[self.ranges.partition_point(|range| range.end <= self.start)..]
    }

    /// Bytes of the log that can be read.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.live().iter().map(|range| u64::from(range.bytes)).sum()
    }

    /// Whether nothing is left that anybody would have to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The live ranges from the one that holds the offset on.
    #[must_use]
    pub fn from(&self, offset: Offset) -> &[TierRange] {
        let live = self.live();
        &live[live.partition_point(|range| range.end <= offset)..]
    }

    /// The first live range with a record of this time or a later one.
    #[must_use]
    pub fn at_time(&self, time: TimestampMs) -> Option<&TierRange> {
        self.live().iter().find(|range| range.max_timestamp >= time)
    }

    /// Adds a range whose object is wholly there. The first one may begin before the log's start. Keeps I4.
    pub fn add(&mut self, expected_end: Offset, range: TierRange) -> Result<(), TierRefusal> {
        if expected_end != self.end {
            return Err(TierRefusal::End { end: self.end, expected: expected_end });
        }
        let begins = range.base == self.end || (self.live().is_empty() && self.follows(&range));
        if !begins || range.end <= self.end || range.bytes == 0 {
            return Err(TierRefusal::Range);
        }
        self.ranges.push(range);
        self.end = range.end;
        self.check();
        Ok(())
    }

    /// Moves the log's start up, also beyond the tier's end, which then is there too; what lies wholly below is unlinked.
    pub fn trim(&mut self, start: Offset, now: TimestampMs) {
        if start <= self.start {
            return;
        }
        self.start = start;
        self.end = self.end.max(start);
        let unlinks = self.ranges.first().is_some_and(|range| range.end <= start);
        if unlinks {
            match self.unlinked.last_mut() {
                // Of many moves at one time one is remembered.
                Some((value, at)) if *at == now => *value = start,
                _ => self.unlinked.push((start, now)),
            }
        }
        self.check();
    }

    /// The tier of a log that is to start there again, without what lies below; none once it was decided that some of it goes.
    #[must_use]
    pub fn revived(&self, start: Offset) -> Option<Tier> {
        let ranges: Vec<TierRange> = self.ranges.iter().filter(|range| range.end > start).copied().collect();
        let is_whole = self.deleting_upto <= start && ranges.first().is_some_and(|first| first.base <= start);
        is_whole.then(|| Tier::restore(start, self.end, start, ranges, Vec::new())).flatten()
    }

    /// How far ranges could be deleted that were unlinked at this time or before.
    #[must_use]
    pub fn deletable(&self, unlinked_by: TimestampMs) -> Option<Offset> {
        let old = self.unlinked.iter().rev().find(|(_, at)| *at <= unlinked_by)?;
        let last = self.ranges.iter().take_while(|range| range.end <= old.0).last()?;
        (last.end > self.deleting_upto).then_some(last.end)
    }

    /// Decides that ranges below are deleted: nobody may read them any more, nobody can bring them back. Keeps I6.
    pub fn delete(&mut self, upto: Offset, unlinked_by: TimestampMs) -> Result<(), TierRefusal> {
        if upto <= self.deleting_upto {
            return Ok(());
        }
        if self.deletable(unlinked_by).is_none_or(|most| upto > most) {
            return Err(TierRefusal::NotYet(upto));
        }
        self.deleting_upto = upto;
        self.check();
        Ok(())
    }

    /// The ranges whose objects are to be deleted.
    #[must_use]
    pub fn deleting(&self) -> &[TierRange] {
        &self.ranges[..self.ranges.partition_point(|range| range.end <= self.deleting_upto)]
    }

    /// Forgets ranges whose objects are gone.
    pub fn forget(&mut self, upto: Offset) -> Result<(), TierRefusal> {
        if upto > self.deleting_upto {
            return Err(TierRefusal::NotYet(upto));
        }
        self.ranges.retain(|range| range.end > upto);
        self.unlinked.retain(|(value, _)| *value > upto);
        self.check();
        Ok(())
    }

    /// Whether the first range after a start that moved beyond everything holds that start.
    fn follows(&self, range: &TierRange) -> bool {
        range.base <= self.end && self.ranges.last().is_none_or(|last| last.end <= range.base)
    }

    fn check(&self) {
        assert!(self.is_sound(), "a tier's ranges are out of order (I4, I6): {self:?}");
    }

    fn is_sound(&self) -> bool {
        let live = self.live();
        let contiguous = live.windows(2).all(|pair| pair[0].end == pair[1].base)
            && self.ranges.windows(2).all(|pair| pair[0].end <= pair[1].base);
        let whole = self.ranges.iter().all(|range| range.base < range.end && range.bytes > 0);
        let ends = live.last().is_none_or(|last| last.end == self.end);
        let covers = match live.first() {
            Some(first) => first.base <= self.start,
            None => self.start == self.end,
        };
        let ordered =
            Offset::ZERO <= self.start && self.deleting_upto <= self.start && self.start <= self.end;
        let noted = self.unlinked.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && self.unlinked.last().is_none_or(|(value, _)| *value <= self.start);
        contiguous && whole && ends && covers && ordered && noted
    }
}

#[cfg(test)]
mod tests {
    use aquifer_types::LeaderEpoch;
    use proptest::prelude::*;

    use super::*;

    fn range(base: i64, end: i64) -> TierRange {
        TierRange {
            base: Offset(base),
            end: Offset(end),
            bytes: 100,
            footer_bytes: 10,
            max_timestamp: TimestampMs(end),
            leader_epoch: LeaderEpoch(1),
            generation: 1,
            nonce: 1,
        }
    }

    fn tier(ends: &[i64]) -> Tier {
        let mut tier = Tier::new(Offset::ZERO);
        let mut base = 0;
        for end in ends {
            tier.add(Offset(base), range(base, *end)).unwrap();
            base = *end;
        }
        tier
    }

    #[test]
    fn a_range_is_taken_only_where_the_tier_ends() {
        let mut tier = tier(&[10]);

        assert_eq!(
            tier.add(Offset(5), range(10, 20)),
            Err(TierRefusal::End { end: Offset(10), expected: Offset(5) })
        );
        assert_eq!(tier.add(Offset(10), range(12, 20)), Err(TierRefusal::Range));
        assert_eq!(tier.add(Offset(10), range(5, 20)), Err(TierRefusal::Range));
        assert_eq!(tier.add(Offset(10), range(10, 20)), Ok(()));
        assert_eq!(tier.end(), Offset(20));
    }

    #[test]
    fn the_first_range_may_begin_before_the_log_does() {
        let mut tier = Tier::new(Offset(7));

        tier.add(Offset(7), range(0, 20)).unwrap();

        assert_eq!((tier.start(), tier.live().len()), (Offset(7), 1));
    }

    #[test]
    fn no_tier_begins_below_zero() {
        let mut tier = Tier::new(Offset(-5));

        assert_eq!(tier.start(), Offset::ZERO);
        let below = tier.add(Offset(-5), range(-5, 3));
        assert_eq!(below, Err(TierRefusal::End { end: Offset::ZERO, expected: Offset(-5) }));
    }

    #[test]
    fn offsets_and_times_are_found() {
        let mut tier = tier(&[10, 20, 30]);
        tier.trim(Offset(12), TimestampMs(1));

        assert_eq!(tier.from(Offset(12))[0].base, Offset(10));
        assert_eq!(tier.from(Offset(20))[0].base, Offset(20));
        assert!(tier.from(Offset(30)).is_empty());
        assert_eq!(tier.at_time(TimestampMs(5)).unwrap().base, Offset(10), "what was unlinked is not found");
        assert_eq!(tier.at_time(TimestampMs(21)).unwrap().base, Offset(20));
        assert_eq!(tier.at_time(TimestampMs(31)), None);
        assert_eq!(tier.live_bytes(), 200);
    }

    #[test]
    fn what_was_unlinked_is_deleted_after_its_time_and_then_forgotten() {
        let mut tier = tier(&[10, 20, 30]);
        tier.trim(Offset(10), TimestampMs(100));
        tier.trim(Offset(25), TimestampMs(200));

        assert_eq!(tier.deletable(TimestampMs(99)), None);
        assert_eq!(tier.deletable(TimestampMs(100)), Some(Offset(10)));
        assert_eq!(tier.delete(Offset(20), TimestampMs(100)), Err(TierRefusal::NotYet(Offset(20))));
        tier.delete(Offset(10), TimestampMs(100)).unwrap();
        assert_eq!(tier.deleting(), [range(0, 10)]);
        assert_eq!(tier.forget(Offset(20)), Err(TierRefusal::NotYet(Offset(20))));
        tier.forget(Offset(10)).unwrap();
        assert_eq!(tier.ranges(), [range(10, 20), range(20, 30)]);
        assert_eq!(
            tier.deletable(TimestampMs(200)),
            Some(Offset(20)),
            "the range that the start lies in stays"
        );
    }

    #[test]
    fn a_tier_is_revived_until_it_is_decided_that_some_of_it_goes() {
        let mut tier = tier(&[10, 20, 30]);
        tier.trim(Offset(12), TimestampMs(100));
        let before = tier.revived(Offset(12)).expect("all of it is there");
        tier.trim(Offset(30), TimestampMs(200));

        assert_eq!(tier.revived(Offset(12)), Some(before.clone()));
        assert_eq!((before.start(), before.end(), before.ranges().len()), (Offset(12), Offset(30), 2));
        tier.delete(Offset(10), TimestampMs(100)).unwrap();
        tier.forget(Offset(10)).unwrap();
        assert_eq!(tier.revived(Offset(12)), Some(before), "what was given up before goes on going");
        tier.delete(Offset(20), TimestampMs(200)).unwrap();
        assert_eq!(tier.revived(Offset(12)), None);
    }

    #[test]
    fn a_log_that_starts_beyond_its_tier_is_tiered_from_there_on() {
        let mut tier = tier(&[10]);
        tier.trim(Offset(25), TimestampMs(1));

        assert_eq!((tier.start(), tier.end(), tier.live()), (Offset(25), Offset(25), &[][..]));
        assert_eq!(
            tier.add(Offset(25), range(5, 40)),
            Err(TierRefusal::Range),
            "what was tiered is not again"
        );
        tier.add(Offset(25), range(20, 40)).unwrap();
        assert_eq!((tier.ranges().len(), tier.live().len()), (2, 1));
    }

    proptest! {
        #[test]
        fn no_history_breaks_the_order_or_deletes_what_is_live(
            steps in proptest::collection::vec((0u8..4, 0i64..400, 0i64..50), 1..80),
        ) {
            let mut tier = Tier::new(Offset::ZERO);
            for (now, (step, offset, more)) in (0..).zip(steps) {
                let before = tier.clone();
                let old = TimestampMs(now - 10);
                match step {
                    0 => {
                        let base = tier.end();
                        let _ = tier.add(base, range(base.0, base.0 + more + 1));
                    }
                    1 => tier.trim(Offset(offset), TimestampMs(now)),
                    2 => drop(tier.delete(Offset(offset), old)),
                    _ => drop(tier.forget(Offset(offset))),
                }
                prop_assert!(tier.is_sound());
                prop_assert!(tier.start() >= before.start() && tier.end() >= before.end());
                let gone = before.ranges().iter().filter(|range| !tier.ranges().contains(range));
                for range in gone {
                    prop_assert!(range.end <= before.deleting_upto(), "{range:?} was never to be deleted");
                }
                let parts = (tier.start(), tier.end(), tier.deleting_upto());
                let restored =
                    Tier::restore(parts.0, parts.1, parts.2, tier.ranges().to_vec(), tier.unlinked().to_vec());
                prop_assert_eq!(restored.as_ref(), Some(&tier));
            }
        }
    }
}
