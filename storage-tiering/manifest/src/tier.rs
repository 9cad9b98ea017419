//! `Tier`: a partition's ranges, from what may be read down to what is being deleted. Keeps I4 and I6.
//!
//! In the order of offsets: `gone_upto <= deleting_upto <= start <= end`. At or above `start` ranges are live; from
//! `deleting_upto` on they are unlinked, kept for readers that still know them; below that they are being deleted.

use aquifer_types::{Offset, TimestampMs};

use crate::key::ObjectKey;
use crate::range::TierRange;
use crate::replaced::ReplacedRanges;

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
    /// Ranges whose offsets other ranges hold by now.
    replaced: ReplacedRanges,
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
    #[error("what was replaced is not to be deleted yet")]
    StillKnown,
    #[error("the ranges do not hold exactly the offsets of live ones")]
    NotCovered,
}

impl Tier {
    /// The tier of a log that starts at `start`, with nothing in it.
    #[must_use]
    pub fn new(start: Offset) -> Tier {
        // Whoever names an offset below zero is refused by what follows.
        let start = start.max(Offset::ZERO);
        Tier {
            start,
            end: start,
            deleting_upto: start,
            ranges: Vec::new(),
            unlinked: Vec::new(),
            replaced: ReplacedRanges::default(),
        }
    }

    /// Puts one together from what was stored.
    pub fn restore(
        start: Offset,
        end: Offset,
        deleting_upto: Offset,
        ranges: Vec<TierRange>,
        unlinked: Vec<(Offset, TimestampMs)>,
    ) -> Option<Tier> {
        let replaced = ReplacedRanges::default();
        let tier = Tier { start, end, deleting_upto, ranges, unlinked, replaced };
        tier.is_sound().then_some(tier)
    }

    /// The same with what was replaced.
    #[must_use]
    pub fn with_replaced(self, replaced: ReplacedRanges) -> Tier {
        Tier { replaced, ..self }
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

    /// Ranges that are not read any more because others hold their offsets.
    #[must_use]
    pub fn replaced(&self) -> &ReplacedRanges {
        &self.replaced
    }

    /// Every range that has an object, or may still have one.
    pub fn named(&self) -> impl Iterator<Item = &TierRange> {
        self.ranges.iter().chain(self.replaced.all().iter().map(|replaced| &replaced.range))
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
        self.ranges.is_empty() && self.replaced.all().is_empty()
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

    /// Puts ranges, each where its predecessor ends, in the place of live ones that hold exactly the same offsets. What was
    /// unlinked meanwhile is not brought back. Keeps I4.
    pub fn replace(&mut self, ranges: &[TierRange], now: TimestampMs) -> Result<(), TierRefusal> {
        let follow = ranges.windows(2).all(|pair| pair[0].end == pair[1].base);
        let whole = ranges.iter().all(|range| range.base < range.end && range.bytes > 0);
        let known =
            |range: &TierRange| self.named().any(|named| ObjectKey::of(named) == ObjectKey::of(range));
        let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else {
            return Err(TierRefusal::NotCovered);
        };
        if !follow || !whole || ranges.iter().any(known) {
            return Err(TierRefusal::Range);
        }
        let unlinked = self.ranges.len() - self.live().len();
        let begins = self.live().iter().position(|range| range.base == first.base);
        let ends = self.live().iter().position(|range| range.end == last.end);
        let (Some(from), Some(to)) = (begins, ends) else { return Err(TierRefusal::NotCovered) };
        // Ranges do not overlap, so that they begin in the order in which they end.
        let covered = unlinked + from..=unlinked + to;
        for range in self.ranges.splice(covered, ranges.iter().copied()) {
            self.replaced.push(range, now);
        }
        self.check();
        Ok(())
    }

    /// Decides that what was replaced is deleted, up to the range of this name. Keeps I6.
    pub fn delete_replaced(&mut self, upto: &ObjectKey, replaced_by: TimestampMs) -> Result<(), TierRefusal> {
        self.replaced.delete(upto, replaced_by)
    }

    /// Forgets what was replaced and is gone, and says what that is.
    pub fn forget_replaced(&mut self, upto: &ObjectKey) -> Result<Vec<TierRange>, TierRefusal> {
        self.replaced.forget(upto)
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

    /// The same once everything in it was copied to objects of its own.
    #[must_use]
    pub fn by_itself(self) -> Tier {
        let ranges = self.ranges.into_iter().map(TierRange::by_itself).collect();
        Tier { ranges, replaced: self.replaced.by_itself(), ..self }
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

    /// Forgets ranges whose objects are gone, and says which these are.
    pub fn forget(&mut self, upto: Offset) -> Result<Vec<TierRange>, TierRefusal> {
        if upto > self.deleting_upto {
            return Err(TierRefusal::NotYet(upto));
        }
        let gone = self.ranges.partition_point(|range| range.end <= upto);
        let gone = self.ranges.drain(..gone).collect();
        self.unlinked.retain(|(value, _)| *value > upto);
        self.check();
        Ok(gone)
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
#[path = "tier_test.rs"]
mod tests;
