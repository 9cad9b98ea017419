//! Tests of the producers' bound, expiry and undoing.

use aquifer_record::Attributes;
use aquifer_types::{BatchEpoch, ProducerEpoch};
use proptest::prelude::*;

use super::*;

fn batch(id: i64, base: i64, sequence: i32, count: i32) -> BatchHeader {
    BatchHeader {
        base_offset: Offset(base),
        length: 49,
        epoch: BatchEpoch(0),
        crc: 0,
        attributes: Attributes(0),
        last_offset_delta: count - 1,
        base_timestamp: TimestampMs::NONE,
        max_timestamp: TimestampMs::NONE,
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(0),
        base_sequence: sequence,
        count,
    }
}

fn ids(producers: &Producers) -> Vec<i64> {
    producers.iter().map(|state| state.id.0).collect()
}

#[test]
fn at_the_bound_the_one_silent_longest_is_forgotten_and_comes_back_if_the_write_fails() {
    let mut producers = Producers::new(2);
    producers.accept(&batch(1, 0, 0, 1), TimestampMs(0));
    producers.accept(&batch(2, 1, 0, 1), TimestampMs(100_000));
    producers.accept(&batch(1, 2, 1, 1), TimestampMs(200_000));
    producers.written(Offset(3));

    producers.accept(&batch(3, 3, 0, 1), TimestampMs(300_000));
    assert_eq!(ids(&producers), [1, 3]);

    producers.rewind(Offset(3));
    assert_eq!(ids(&producers), [1, 2]);
    assert_eq!(
        producers.judge(&batch(2, 0, 5, 1), false),
        Err(Refusal::OutOfOrderSequence { expected: 1, named: 5 })
    );
}

#[test]
fn silent_producers_expire_to_the_millisecond_and_busy_ones_stay() {
    let mut producers = Producers::new(10);
    producers.accept(&batch(1, 0, 0, 1), TimestampMs(61_000));
    producers.accept(&batch(2, 1, 0, 1), TimestampMs(61_001));
    let after = 1_000;

    producers.expire(TimestampMs(61_999), after);
    assert_eq!(ids(&producers), [1, 2]);
    producers.expire(TimestampMs(62_000), after);
    assert_eq!(ids(&producers), [2]);
    producers.expire(TimestampMs(62_001), after);
    assert_eq!(ids(&producers), [0i64; 0]);
    assert!(producers.by_age.is_empty());
}

#[test]
fn a_clock_that_goes_back_keeps_producers() {
    let mut producers = Producers::new(10);
    producers.accept(&batch(1, 0, 0, 1), TimestampMs(1_000_000));

    producers.accept(&batch(1, 1, 1, 1), TimestampMs(5));
    producers.expire(TimestampMs(100_000), 1_000);

    assert_eq!(ids(&producers), [1]);
}

#[test]
fn a_restored_table_keeps_the_bound() {
    let mut producers = Producers::new(2);
    let state = |id| ProducerState::new(ProducerId(id), ProducerEpoch(0));

    producers.restore([state(1), state(2), state(3)]);

    assert_eq!(producers.states.len(), 2);
    assert_eq!(producers.by_age.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn rewinding_restores_exactly_what_was(
        before in prop::collection::vec((0..6i64, 1..4i32, 0..200_000i64), 0..20),
        after in prop::collection::vec((0..6i64, 1..4i32, 0..200_000i64), 0..20),
    ) {
        let mut producers = Producers::new(4);
        let mut end = 0;
        let mut sequences = [0; 6];
        let mut accept = |producers: &mut Producers, (id, count, now): (i64, i32, i64)| {
            let sequence = &mut sequences[usize::try_from(id).expect("small")];
            producers.accept(&batch(id, end, *sequence, count), TimestampMs(now));
            *sequence += count;
            end += i64::from(count);
            end
        };
        let mut kept_end = 0;
        for step in before {
            kept_end = accept(&mut producers, step);
        }
        let kept = producers.clone();

        for step in after {
            accept(&mut producers, step);
        }
        let thought_away = producers.at(Offset(kept_end));
        producers.rewind(Offset(kept_end));

        prop_assert_eq!(&producers.states, &kept.states);
        prop_assert_eq!(thought_away, kept.iter().copied().collect::<Vec<_>>());
        prop_assert_eq!(&producers.by_age, &kept.by_age);
        prop_assert_eq!(producers.unwritten(), kept.unwritten());
    }
}
