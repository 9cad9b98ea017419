//! What of a tier survives the loss of its quorum: ranges that an older state names and that are still there, and those
//! that were committed after it.
//!
//! An object is uploaded only where its tier ends, of records that were committed. So of several objects that begin where
//! a tier ends, the one of the greatest epoch and generation is of the log that went on; the others were never committed.

use std::collections::BTreeMap;

use aquifer_types::Offset;

use crate::range::TierRange;
use crate::tier::Tier;

/// The tier without the ranges whose objects are gone, and how many of its live ranges these are. What nobody can read
/// on from is given up too: the log starts after the last gap.
#[must_use]
pub fn surviving(tier: &Tier, is_there: impl Fn(&TierRange) -> bool) -> (Tier, usize) {
    let live = tier.live();
    let lost = live.iter().filter(|range| !is_there(range)).count();
    let upto = live.iter().rposition(&is_there).map_or(0, |last| last + 1);
    let gap = live[..upto].iter().rposition(|range| !is_there(range));
    let kept = &live[gap.map_or(0, |gap| gap + 1)..upto];
    let below = tier.ranges()[..tier.ranges().len() - live.len()].iter().filter(|range| is_there(range));
    let start = kept.first().map_or(tier.start(), |first| first.base.max(tier.start()));
    let end = kept.last().map_or(start, |last| last.end);
    // Where nothing is left that can be read, whatever is uploaded next begins where the log did.
    let ranges = below.chain(kept).copied().collect();
    let survivor = Tier::restore(start, end, tier.deleting_upto(), ranges, tier.unlinked().to_vec());
    (survivor.unwrap_or_else(|| Tier::new(start)), lost)
}

/// The ranges that go on where a tier ends: of the greatest epochs and generations first, then as far as possible.
/// `first` may hold the tier's end rather than begin there, where nothing of the tier can be read yet.
#[must_use]
pub fn continuation(tier: &Tier, found: &[TierRange]) -> Vec<TierRange> {
    let mut by_base: BTreeMap<Offset, Vec<(TierRange, Offset)>> = BTreeMap::new();
    let mut latest_first = found.to_vec();
    latest_first.sort_by_key(|range| std::cmp::Reverse((range.base, *range)));
    for range in latest_first {
        let reach = best(&by_base, range.end, rank(&range)).map_or(range.end, |(_, reach)| reach);
        by_base.entry(range.base).or_default().push((range, reach));
    }
    let last = tier.live().last().map_or((0, 0), rank);
    let mut next = best(&by_base, tier.end(), last);
    if next.is_none() && tier.live().is_empty() {
        // What is still to be deleted ends before it.
        let begins_after = tier.ranges().last().map_or(Offset::ZERO, |last| last.end);
        let holds = |range: &TierRange| range.base >= begins_after && range.holds(tier.end());
        let holding = by_base.values().flatten().filter(|(range, _)| holds(range));
        next = holding.copied().max_by_key(|(range, reach)| (rank(range), *reach, range.nonce));
    }
    let mut chain = Vec::new();
    while let Some((range, _)) = next {
        chain.push(range);
        next = best(&by_base, range.end, rank(&range));
    }
    chain
}

/// Later logs have greater ones.
fn rank(range: &TierRange) -> (i32, u64) {
    (range.leader_epoch.0, range.generation)
}

fn best(
    by_base: &BTreeMap<Offset, Vec<(TierRange, Offset)>>,
    base: Offset,
    since: (i32, u64),
) -> Option<(TierRange, Offset)> {
    let begin_there = by_base.get(&base)?.iter().filter(|(range, _)| rank(range) >= since);
    begin_there.copied().max_by_key(|(range, reach)| (rank(range), *reach, range.nonce))
}

#[cfg(test)]
mod tests {
    use aquifer_types::{LeaderEpoch, TimestampMs};
    use proptest::prelude::*;

    use super::*;

    fn range(base: i64, end: i64, epoch: i32, generation: u64) -> TierRange {
        TierRange {
            base: Offset(base),
            end: Offset(end),
            bytes: 100,
            footer_bytes: 10,
            max_timestamp: TimestampMs(end),
            leader_epoch: LeaderEpoch(epoch),
            generation,
            nonce: generation,
        }
    }

    fn tier(ends: &[i64]) -> Tier {
        let mut tier = Tier::new(Offset::ZERO);
        for end in ends {
            let base = tier.end();
            tier.add(base, range(base.0, *end, 1, 1)).expect("it goes on");
        }
        tier
    }

    fn ends(ranges: &[TierRange]) -> Vec<(i64, u64)> {
        ranges.iter().map(|range| (range.end.0, range.generation)).collect()
    }

    #[test]
    fn what_was_committed_later_goes_on_where_the_state_ends() {
        let found = [range(30, 40, 1, 1), range(20, 30, 1, 1), range(50, 60, 1, 1), range(5, 20, 1, 1)];

        assert_eq!(ends(&continuation(&tier(&[10, 20]), &found)), [(30, 1), (40, 1)]);
        assert_eq!(continuation(&tier(&[10]), &found), []);
    }

    #[test]
    fn a_later_epoch_wins_over_a_longer_chain() {
        let lost = [range(10, 20, 1, 1), range(20, 90, 1, 1)];
        let kept = [range(10, 15, 2, 2), range(15, 20, 2, 3)];
        let found = [lost, kept].concat();

        assert_eq!(ends(&continuation(&tier(&[10]), &found)), [(15, 2), (20, 3)], "epochs never go back");
    }

    #[test]
    fn of_attempts_of_one_run_the_one_that_leads_on_counts() {
        let found = [range(10, 15, 1, 1), range(10, 20, 1, 1), range(20, 25, 1, 1)];

        assert_eq!(ends(&continuation(&tier(&[10]), &found)), [(20, 1), (25, 1)]);
    }

    #[test]
    fn the_first_range_of_all_may_begin_before_the_log_does() {
        let empty = Tier::new(Offset(7));

        assert_eq!(
            ends(&continuation(&empty, &[range(0, 20, 1, 1), range(20, 30, 1, 1)])),
            [(20, 1), (30, 1)]
        );
        assert_eq!(continuation(&empty, &[range(8, 20, 1, 1)]), []);
    }

    #[test]
    fn the_log_starts_after_the_last_gap_and_ends_before_what_is_lost_at_the_end() {
        let tier = tier(&[10, 20, 30, 40, 50]);
        let without = |gone: &'static [i64]| surviving(&tier, |range| !gone.contains(&range.end.0));

        let (all, lost) = without(&[]);
        assert_eq!((all, lost), (tier.clone(), 0));
        let (later, lost) = without(&[20, 50]);
        assert_eq!((later.start(), later.end(), lost), (Offset(20), Offset(40), 2));
        let (nothing, lost) = without(&[10, 20, 30, 40, 50]);
        assert_eq!((nothing.start(), nothing.end(), lost), (Offset(0), Offset(0), 5));
    }

    #[test]
    fn what_retention_removed_stays_removed() {
        let mut tier = tier(&[10, 20, 30]);
        tier.trim(Offset(15), TimestampMs(5));

        let (survivor, lost) = surviving(&tier, |range| range.end < Offset(30));
        assert_eq!((survivor.start(), survivor.end(), lost), (Offset(15), Offset(20), 1));
        assert_eq!(survivor.ranges().len(), 2, "what is unlinked is still to be deleted");
        let (survivor, _) = surviving(&tier, |range| range.end == Offset(10));
        assert_eq!((survivor.start(), survivor.end()), (Offset(15), Offset(15)));
    }

    proptest! {
        #[test]
        fn survivors_are_sound_and_name_only_what_is_there(
            lengths in proptest::collection::vec(1i64..20, 0..12),
            trim in 0i64..200,
            gone in any::<u16>(),
            later in proptest::collection::vec((0i64..200, 1i64..30, 0i32..3, 0u64..3), 0..20),
        ) {
            let mut tier = Tier::new(Offset::ZERO);
            for length in lengths {
                let base = tier.end();
                tier.add(base, range(base.0, base.0 + length, 1, 1)).expect("it goes on");
            }
            tier.trim(Offset(trim), TimestampMs(1));
            let bit = |range: &TierRange| gone >> (range.end.0 % 16) & 1 == 0;

            let (mut survivor, lost) = surviving(&tier, bit);

            prop_assert!(survivor.ranges().iter().all(|range| tier.ranges().contains(range) && bit(range)));
            prop_assert_eq!(lost, tier.live().iter().filter(|range| !bit(range)).count());
            prop_assert!(survivor.start() >= tier.start());
            let found: Vec<TierRange> =
                later.iter().map(|(base, length, epoch, run)| range(*base, base + length, *epoch, *run)).collect();
            for more in continuation(&survivor, &found) {
                let end = survivor.end();
                prop_assert_eq!(survivor.add(end, more), Ok(()));
            }
        }
    }
}
