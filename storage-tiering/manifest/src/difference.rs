//! Where our disk holds other bytes than the tier: a log that was cleaned since it was uploaded.

use std::cmp::Ordering;

use aquifer_types::Offset;

use crate::tier::Tier;

/// A file of the log: the offsets that it stands for, and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub base: Offset,
    pub end: Offset,
    pub bytes: u64,
}

impl Tier {
    /// The first stretch between offsets at which both files and ranges end of which the files, oldest first, have another
    /// length than the ranges. Cleaning only ever takes bytes away, so that what has the same length is the same.
    #[must_use]
    pub fn first_difference(&self, files: &[Span]) -> Option<(Offset, Offset)> {
        let mut files = files.iter().copied().peekable();
        let live = self.live().iter();
        let ranges =
            live.map(|range| Span { base: range.base, end: range.end, bytes: u64::from(range.bytes) });
        let mut ranges = ranges.peekable();
        loop {
            match files.peek()?.base.cmp(&ranges.peek()?.base) {
                Ordering::Equal => break,
                Ordering::Less => files.next(),
                Ordering::Greater => ranges.next(),
            };
        }
        loop {
            let (mut file, mut range) = (files.next()?, ranges.next()?);
            while file.end != range.end {
                let (behind, more) = if file.end < range.end {
                    (&mut file, files.next()?)
                } else {
                    (&mut range, ranges.next()?)
                };
                behind.end = more.end;
                behind.bytes += more.bytes;
            }
            if file.bytes != range.bytes {
                return Some((range.base, range.end));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aquifer_types::{LeaderEpoch, TimestampMs};

    use super::*;
    use crate::range::TierRange;

    fn tier(start: i64, ranges: &[(i64, u32)]) -> Tier {
        let mut tier = Tier::new(Offset(start));
        for (end, bytes) in ranges {
            let range = TierRange {
                base: tier.end(),
                end: Offset(*end),
                bytes: *bytes,
                footer_bytes: 1,
                max_timestamp: TimestampMs(0),
                leader_epoch: LeaderEpoch(0),
                generation: 0,
                nonce: 0,
                position: 0,
            };
            tier.add(tier.end(), range).expect("it goes on");
        }
        tier
    }

    fn files(start: i64, files: &[(i64, u64)]) -> Vec<Span> {
        let mut base = Offset(start);
        let span = |(end, bytes): &(i64, u64)| {
            let span = Span { base, end: Offset(*end), bytes: *bytes };
            base = span.end;
            span
        };
        files.iter().map(span).collect()
    }

    #[test]
    fn files_that_were_put_together_and_lost_nothing_are_the_same() {
        let tier = tier(0, &[(10, 100), (20, 100), (30, 100)]);

        assert_eq!(tier.first_difference(&files(0, &[(10, 100), (20, 100), (30, 100)])), None);
        assert_eq!(tier.first_difference(&files(0, &[(20, 200), (30, 100), (40, 5)])), None);
        assert_eq!(tier.first_difference(&files(0, &[(5, 50), (10, 50), (30, 200)])), None);
    }

    #[test]
    fn the_first_stretch_that_lost_something_is_found_between_ends_that_both_know() {
        let tier = tier(0, &[(10, 100), (20, 100), (30, 100), (40, 100)]);
        let difference = |ends| tier.first_difference(&files(0, ends));

        assert_eq!(difference(&[(10, 100), (30, 150), (40, 90)]), Some((Offset(10), Offset(30))));
        assert_eq!(difference(&[(10, 100), (25, 100), (40, 190)]), Some((Offset(10), Offset(40))));
        assert_eq!(difference(&[(10, 100), (25, 3)]), None, "who knows what follows");
    }

    #[test]
    fn what_only_the_tier_or_only_our_disk_has_is_left_alone() {
        let restored = tier(0, &[(10, 100), (20, 100), (30, 100)]);
        assert_eq!(restored.first_difference(&files(20, &[(30, 60)])), Some((Offset(20), Offset(30))));
        assert_eq!(restored.first_difference(&files(30, &[(40, 60)])), None);
        assert_eq!(restored.first_difference(&[]), None);
        let later = tier(15, &[(20, 100), (30, 100)]);
        let difference = later.first_difference(&files(0, &[(10, 7), (20, 300), (30, 90)]));
        assert_eq!(
            difference,
            Some((Offset(20), Offset(30))),
            "a file that begins earlier has more, not less"
        );
    }
}
