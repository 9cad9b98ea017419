//! What of a tier survives, and what goes on after it.

use aquifer_types::{BatchEpoch, LeaderEpoch};
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
        position: 0,
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

fn continuation(tier: &Tier, found: &[TierRange]) -> Vec<TierRange> {
    let after = Tail { since: tier.live().last().map_or((0, 0), rank), last: None };
    super::continuation(tier, after, &originals(found)).iter().map(|found| found.range).collect()
}

fn originals(ranges: &[TierRange]) -> Vec<FoundRange> {
    ranges.iter().map(original).collect()
}

fn original(range: &TierRange) -> FoundRange {
    let uploaded = TimestampMs(0);
    FoundRange { range: *range, is_rewrite: false, uploaded, previous: None, last: None }
}

fn rewrite(base: i64, end: i64, generation: u64, uploaded: i64) -> FoundRange {
    let range = TierRange { bytes: 50, nonce: 1_000 + generation, ..range(base, end, 1, generation) };
    FoundRange { is_rewrite: true, uploaded: TimestampMs(uploaded), ..original(&range) }
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
    let last = [range(10, 90, 1, 1), range(10, 15, 2, 2)];
    assert_eq!(ends(&continuation(&tier(&[10]), &last)), [(15, 2)]);
}

#[test]
fn what_holds_the_beginning_of_another_was_never_committed() {
    let found = [range(10, 20, 1, 1), range(13, 25, 1, 1)];

    assert_eq!(ends(&continuation(&tier(&[10]), &found)), []);
    let mut tier = tier(&[10]);
    go_on(&mut tier, None, &originals(&found), TimestampMs(1));
    assert_eq!((tier.start(), tier.end()), (Offset(13), Offset(25)));
}

#[test]
fn of_attempts_of_one_run_the_one_that_leads_on_counts() {
    let found = [range(10, 15, 1, 1), range(10, 20, 1, 1), range(20, 25, 1, 1)];

    assert_eq!(ends(&continuation(&tier(&[10]), &found)), [(20, 1), (25, 1)]);
}

#[test]
fn the_first_range_of_all_may_begin_before_the_log_does() {
    let empty = Tier::new(Offset(7));

    assert_eq!(ends(&continuation(&empty, &[range(0, 20, 1, 1), range(20, 30, 1, 1)])), [(20, 1), (30, 1)]);
    assert_eq!(continuation(&empty, &[range(8, 20, 1, 1)]), []);
}

#[test]
fn a_tier_whose_start_was_moved_beyond_its_end_begins_anew() {
    let mut tier = tier(&[10]);
    let found = [range(10, 12, 1, 1), range(20, 30, 1, 2), range(30, 40, 1, 2)];

    assert_eq!(go_on(&mut tier, None, &originals(&found), TimestampMs(5)), 3);

    assert_eq!((tier.start(), tier.end(), tier.live().len()), (Offset(20), Offset(40), 2));
    assert_eq!(tier.ranges().len(), 4, "what came before is still to be deleted");
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

#[test]
fn a_range_goes_on_only_after_the_batch_that_it_was_uploaded_after() {
    let link = |end: i64, crc: u32| Some(Link { end: Offset(end), epoch: BatchEpoch(1), crc });
    let ours = FoundRange { previous: link(10, 7), last: link(20, 8), ..original(&range(10, 20, 1, 1)) };
    let foreign = FoundRange { previous: link(10, 9), ..original(&range(10, 15, 1, 2)) };
    let next = FoundRange { previous: link(20, 8), ..original(&range(20, 30, 1, 2)) };
    let other = FoundRange { previous: link(20, 5), ..original(&range(20, 40, 1, 3)) };
    let reached = |last: Option<Link>, found: &[FoundRange]| {
        let mut tier = tier(&[10]);
        go_on(&mut tier, last, found, TimestampMs(5));
        ends(&tier.live()[1..])
    };

    assert_eq!(reached(link(10, 7), &[ours, next, other]), [(20, 1), (30, 2)], "though a later one follows");
    assert_eq!(reached(link(10, 7), &[foreign]), []);
    assert_eq!(reached(None, &[foreign]), [(15, 2)], "nobody knows better");
    assert_eq!(reached(link(10, 7), &[original(&range(10, 15, 1, 2))]), [(15, 2)], "it does not say");
}

#[test]
fn what_replaced_others_counts_where_these_are_gone() {
    let known = tier(&[10, 20, 30]);
    let rewrites = [rewrite(0, 20, 2, 100), rewrite(0, 20, 3, 200), rewrite(10, 30, 4, 150)];
    let mend = |gone: &'static [i64]| {
        let mended = mended(&known, &rewrites, |range| !gone.contains(&range.end.0), TimestampMs(9));
        ends(mended.live())
    };

    assert_eq!(mend(&[]), [(10, 1), (20, 1), (30, 1)], "what the state names is there");
    assert_eq!(mend(&[10]), [(20, 3), (30, 1)], "the newest of those that hold the same");
    assert_eq!(mend(&[30]), [(10, 1), (30, 4)]);
    assert_eq!(mend(&[10, 30]), [(20, 3), (30, 1)], "a second one would not fit");
}

#[test]
fn a_tier_goes_on_over_what_was_replaced_since() {
    let go_on_from = |found: &[FoundRange]| {
        let mut tier = tier(&[10]);
        let added = go_on(&mut tier, None, found, TimestampMs(5));
        (ends(&tier.live()[1..]), added, tier.start().0)
    };
    let committed = originals(&[range(10, 20, 1, 1), range(20, 30, 1, 1), range(30, 40, 1, 1)]);
    let both = [committed.clone(), vec![rewrite(10, 30, 2, 100)]].concat();
    let gone = |ends: &[i64]| -> Vec<FoundRange> {
        both.iter().filter(|found| found.is_rewrite || !ends.contains(&found.range.end.0)).copied().collect()
    };

    assert_eq!(go_on_from(&both), (vec![(20, 1), (30, 1), (40, 1)], 3, 0), "what was committed first");
    assert_eq!(go_on_from(&gone(&[20, 30])), (vec![(30, 2), (40, 1)], 2, 0), "it may be gone");
    assert_eq!(go_on_from(&gone(&[20])), (vec![(30, 2), (40, 1)], 2, 0), "or some of it");
}

proptest! {
    #[test]
    fn survivors_are_sound_and_name_only_what_is_there(
        lengths in proptest::collection::vec(1i64..20, 0..12),
        trim in 0i64..200,
        gone in any::<u16>(),
        rewrites in any::<u8>(),
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
        let mut refused = survivor.clone();
        for more in continuation(&survivor, &found) {
            prop_assert_eq!(refused.add(refused.end(), more), Ok(()));
        }
        let live = survivor.live().len();
        let found: Vec<FoundRange> = (0_u64..)
            .zip(originals(&found))
            .map(|(at, found)| FoundRange { is_rewrite: rewrites >> (at % 8) & 1 == 1, ..found })
            .collect();
        let mended = mended(&tier, &found, bit, TimestampMs(2));
        prop_assert_eq!((mended.start(), mended.end()), (tier.start(), tier.end()));
        let added = go_on(&mut survivor, None, &found, TimestampMs(2));
        prop_assert!(survivor.live().len() <= live + added);
    }
}
