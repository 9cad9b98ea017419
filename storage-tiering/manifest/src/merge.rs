//! Small neighbours that are worth one object: what is read, listed, kept and deleted is a few large objects rather than many small ones.

use std::collections::BTreeSet;

use aquifer_types::Offset;

use crate::difference::Span;
use crate::range::TierRange;
use crate::tier::Tier;

/// Which neighbours become one range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergePolicy {
    /// Larger ranges stay as they are.
    pub small_bytes: u32,
    /// What a merged range may take.
    pub bytes_max: u64,
    /// So many are put together, whatever they take.
    pub ranges_max: usize,
    /// And fewer are not worth an upload.
    pub ranges_min: usize,
    /// How far their newest records may be apart, for what is merged goes together.
    pub span_ms_max: Option<i64>,
}

/// Small neighbours so far.
struct Run {
    from: Offset,
    bytes: u64,
    ranges: usize,
    first: TierRange,
    /// The end of the last of them at which a file ends too, and how many there are until there.
    whole: Option<(Offset, usize)>,
}

impl Tier {
    /// The first run of small live ranges to be merged, of those that files on our disk, oldest first, hold wholly.
    #[must_use]
    pub fn mergeable(&self, files: &[Span], policy: &MergePolicy) -> Option<(Offset, Offset)> {
        let (first, last) = (files.first()?, files.last()?);
        let begins: BTreeSet<Offset> = files.iter().map(|file| file.base).collect();
        let ends: BTreeSet<Offset> = files.iter().map(|file| file.end).collect();
        let live = self.live();
        let local = &live[live.partition_point(|range| range.base < first.base)..];
        let local = local.iter().take_while(|range| range.end <= last.end);
        let mut run: Option<Run> = None;
        for range in local {
            if range.bytes >= policy.small_bytes {
                run = None;
                continue;
            }
            if run.as_ref().is_some_and(|run| run.is_full_before(range, policy)) {
                let worth = run.as_ref().and_then(|run| run.worth(policy));
                if worth.is_some() {
                    return worth;
                }
                run = None;
            }
            match &mut run {
                Some(run) => run.push(range, &ends),
                None => run = begins.contains(&range.base).then(|| Run::begin(range, &ends)),
            }
        }
        run.filter(|run| run.ranges >= policy.ranges_max).and_then(|run| run.worth(policy))
    }
}

impl Run {
    fn begin(range: &TierRange, ends: &BTreeSet<Offset>) -> Run {
        let mut run = Run { from: range.base, bytes: 0, ranges: 0, first: *range, whole: None };
        run.push(range, ends);
        run
    }

    fn push(&mut self, range: &TierRange, ends: &BTreeSet<Offset>) {
        self.bytes += u64::from(range.bytes);
        self.ranges += 1;
        if ends.contains(&range.end) {
            self.whole = Some((range.end, self.ranges));
        }
    }

    fn is_full_before(&self, next: &TierRange, policy: &MergePolicy) -> bool {
        let apart = next.max_timestamp.0.saturating_sub(self.first.max_timestamp.0).abs();
        self.ranges >= policy.ranges_max
            || self.bytes + u64::from(next.bytes) > policy.bytes_max
            || policy.span_ms_max.is_some_and(|most| apart > most)
    }

    fn worth(&self, policy: &MergePolicy) -> Option<(Offset, Offset)> {
        let (upto, ranges) = self.whole?;
        (ranges >= policy.ranges_min.max(2)).then_some((self.from, upto))
    }
}

#[cfg(test)]
mod tests {
    use aquifer_types::{LeaderEpoch, TimestampMs};
    use proptest::prelude::*;

    use super::*;

    const POLICY: MergePolicy =
        MergePolicy { small_bytes: 100, bytes_max: 250, ranges_max: 5, ranges_min: 2, span_ms_max: None };

    /// Ranges of ten offsets each, of these sizes.
    fn tier(sizes: &[u32]) -> Tier {
        let mut tier = Tier::new(Offset::ZERO);
        for bytes in sizes {
            let base = tier.end();
            let range = TierRange {
                base,
                end: base.plus(10),
                bytes: *bytes,
                footer_bytes: 1,
                max_timestamp: TimestampMs(base.0),
                leader_epoch: LeaderEpoch(0),
                generation: 0,
                nonce: 0,
                position: 0,
            };
            tier.add(base, range).expect("it goes on");
        }
        tier
    }

    fn files(bounds: &[i64]) -> Vec<Span> {
        let span = |pair: &[i64]| Span { base: Offset(pair[0]), end: Offset(pair[1]), bytes: 1 };
        bounds.windows(2).map(span).collect()
    }

    fn merged(sizes: &[u32], bounds: &[i64], policy: &MergePolicy) -> Option<(i64, i64)> {
        tier(sizes).mergeable(&files(bounds), policy).map(|(from, upto)| (from.0, upto.0))
    }

    #[test]
    fn small_neighbours_are_merged_once_they_are_enough() {
        let all: Vec<i64> = (0..10).map(|file| file * 10).collect();
        let merge = |sizes: &[u32]| merged(sizes, &all, &POLICY);

        assert_eq!(merge(&[90, 90]), None, "more may come");
        assert_eq!(merge(&[90, 90, 90]), Some((0, 20)), "the third one would be too much");
        assert_eq!(merge(&[1, 1, 1, 1, 1]), Some((0, 50)), "they are many");
        assert_eq!(merge(&[100, 90, 100, 90, 90, 90]), Some((30, 50)), "large ones stay as they are");
        assert_eq!(merge(&[90, 200, 90, 200]), None, "there are no neighbours");
    }

    #[test]
    fn only_what_our_disk_holds_is_merged_and_only_between_ends_of_files() {
        let sizes = [90, 90, 90, 90, 90, 90];

        assert_eq!(merged(&sizes, &[20, 30, 40, 50, 60], &POLICY), Some((20, 40)));
        assert_eq!(
            merged(&sizes, &[0, 25, 30, 40, 60], &POLICY),
            None,
            "a file ends within the second range"
        );
        assert_eq!(merged(&sizes, &[15, 20, 30, 40, 50, 60], &POLICY), Some((20, 40)));
        assert_eq!(merged(&sizes, &[], &POLICY), None);
    }

    #[test]
    fn what_is_too_far_apart_to_be_deleted_together_is_not_merged() {
        let all: Vec<i64> = (0..10).map(|file| file * 10).collect();
        let apart = |span| merged(&[1; 5], &all, &MergePolicy { span_ms_max: Some(span), ..POLICY });

        assert_eq!((apart(9), apart(10), apart(40)), (None, Some((0, 20)), Some((0, 50))));
    }

    proptest! {
        #[test]
        fn what_is_merged_can_be_replaced_and_is_within_its_limits(
            sizes in prop::collection::vec(1u32..150, 0..20),
            cuts in prop::collection::vec(0i64..200, 0..20),
        ) {
            let before = tier(&sizes);
            let bounds: BTreeSet<i64> = cuts.into_iter().collect();
            let bounds: Vec<i64> = bounds.into_iter().collect();
            let mut tier = before.clone();
            if let Some((from, upto)) = tier.mergeable(&files(&bounds), &POLICY) {
                let within = |range: &&TierRange| from <= range.base && range.end <= upto;
                let merged: Vec<TierRange> = before.live().iter().filter(within).copied().collect();
                let bytes = merged.iter().map(|range| range.bytes).sum();
                let range = TierRange { base: from, end: upto, bytes, nonce: 1, ..merged[0] };

                prop_assert!(merged.len() >= 2 && merged.len() <= POLICY.ranges_max);
                prop_assert!(u64::from(bytes) <= POLICY.bytes_max);
                prop_assert!(merged.iter().all(|range| range.bytes < POLICY.small_bytes));
                prop_assert!(bounds.contains(&from.0) && bounds.contains(&upto.0));
                prop_assert_eq!(tier.replace(&[range], TimestampMs(0)), Ok(()));
            }
        }
    }
}
