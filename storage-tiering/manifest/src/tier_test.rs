//! A tier's ranges come, are replaced and go.

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
        position: 0,
    }
}

fn rewrite(base: i64, end: i64, nonce: u64) -> TierRange {
    TierRange { bytes: 50, nonce, ..range(base, end) }
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
    assert_eq!(tier.deletable(TimestampMs(200)), Some(Offset(20)), "the range that the start lies in stays");
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
    assert_eq!(tier.add(Offset(25), range(5, 40)), Err(TierRefusal::Range), "what was tiered is not again");
    tier.add(Offset(25), range(20, 40)).unwrap();
    assert_eq!((tier.ranges().len(), tier.live().len()), (2, 1));
}

#[test]
fn a_replacement_holds_exactly_what_it_takes_the_place_of() {
    let mut tier = tier(&[10, 20, 30]);
    let before = tier.clone();
    let mut refused = |ranges: &[TierRange]| {
        let refusal = tier.replace(ranges, TimestampMs(5)).unwrap_err();
        assert_eq!(tier, before);
        refusal
    };

    assert_eq!(refused(&[]), TierRefusal::NotCovered);
    assert_eq!(refused(&[rewrite(0, 15, 2)]), TierRefusal::NotCovered, "it ends in the middle of one");
    assert_eq!(refused(&[rewrite(5, 20, 2)]), TierRefusal::NotCovered, "it begins in the middle of one");
    assert_eq!(refused(&[rewrite(10, 40, 2)]), TierRefusal::NotCovered, "it goes on beyond the tier");
    assert_eq!(refused(&[rewrite(0, 10, 2), rewrite(12, 20, 3)]), TierRefusal::Range, "there is a gap");
    assert_eq!(refused(&[range(0, 10)]), TierRefusal::Range, "the name is that of one that is there");
    assert_eq!(tier.replace(&[rewrite(0, 12, 2), rewrite(12, 20, 3)], TimestampMs(5)), Ok(()));
    assert_eq!(tier.ranges(), [rewrite(0, 12, 2), rewrite(12, 20, 3), range(20, 30)]);
    assert_eq!((tier.start(), tier.end(), tier.replaced().all().len()), (Offset(0), Offset(30), 2));
    assert_eq!(tier.named().count(), 5);
}

#[test]
fn what_was_unlinked_while_its_replacement_was_uploaded_is_not_brought_back() {
    let mut tier = tier(&[10, 20, 30]);
    tier.trim(Offset(10), TimestampMs(5));

    assert_eq!(tier.replace(&[rewrite(0, 20, 2)], TimestampMs(6)), Err(TierRefusal::NotCovered));
    assert_eq!(tier.replace(&[rewrite(10, 20, 2)], TimestampMs(6)), Ok(()));
    tier.trim(Offset(25), TimestampMs(7));
    assert_eq!(tier.live(), [range(20, 30)], "a replacement goes like what it replaced");
    assert_eq!(tier.deletable(TimestampMs(7)), Some(Offset(20)));
}

#[test]
fn the_range_that_the_start_lies_in_can_be_replaced() {
    let mut tier = tier(&[10, 20]);
    tier.trim(Offset(4), TimestampMs(5));

    assert_eq!(tier.replace(&[rewrite(0, 20, 2)], TimestampMs(6)), Ok(()));
    assert_eq!((tier.start(), tier.live()), (Offset(4), &[rewrite(0, 20, 2)][..]));
}

proptest! {
    #[test]
    fn no_history_breaks_the_order_or_deletes_what_is_live(
        steps in proptest::collection::vec((0u8..8, 0i64..400, 0i64..50), 1..80),
    ) {
        let mut tier = Tier::new(Offset::ZERO);
        for (now, (step, offset, more)) in (0..).zip(steps) {
            let before = tier.clone();
            let old = TimestampMs(now - 10);
            let some = |ranges: &[TierRange]| {
                let place = usize::try_from(offset).unwrap_or(0).checked_rem(ranges.len());
                place.map(|place| ranges[place])
            };
            let replaced: Vec<TierRange> =
                before.replaced().all().iter().map(|replaced| replaced.range).collect();
            match step {
                0 => {
                    let base = tier.end();
                    let _ = tier.add(base, range(base.0, base.0 + more + 1));
                }
                1 => tier.trim(Offset(offset), TimestampMs(now)),
                2 => drop(tier.delete(Offset(offset), old)),
                3 => drop(tier.forget(Offset(offset))),
                4 => {
                    let nonce = u64::try_from(now + 2).unwrap_or(0);
                    let from = some(tier.ranges()).map_or(offset, |range| range.base.0);
                    let to = some(tier.live()).map_or(offset + more, |range| range.end.0);
                    let _ = tier.replace(&[rewrite(from, to, nonce)], TimestampMs(now));
                }
                5 => drop(tier.replace(&[rewrite(offset, offset + more, 1)], TimestampMs(now))),
                6 => drop(some(&replaced).map(|range| tier.delete_replaced(&ObjectKey::of(&range), old))),
                _ => drop(some(&replaced).map(|range| tier.forget_replaced(&ObjectKey::of(&range)))),
            }
            prop_assert!(tier.is_sound());
            prop_assert!(tier.start() >= before.start() && tier.end() >= before.end());
            let names: Vec<&TierRange> = tier.named().collect();
            for range in before.named().filter(|range| !names.contains(range)) {
                let decided = before.replaced().deleting().iter().any(|going| going.range == *range);
                let below = before.ranges().contains(range) && range.end <= before.deleting_upto();
                prop_assert!(decided || below, "{range:?} was never to be deleted");
            }
            for going in tier.replaced().deleting() {
                prop_assert!(!tier.ranges().contains(&going.range), "what is live is deleted");
                prop_assert!(going.at <= old || before.replaced().deleting().contains(going));
            }
            let parts = (tier.start(), tier.end(), tier.deleting_upto());
            let restored =
                Tier::restore(parts.0, parts.1, parts.2, tier.ranges().to_vec(), tier.unlinked().to_vec())
                    .map(|restored| restored.with_replaced(tier.replaced().clone()));
            prop_assert_eq!(restored.as_ref(), Some(&tier));
        }
    }
}
