//! Where partitions stand when leaders change, logs are cut back and seeks come between.

use std::collections::BTreeMap;

use aquifer_types::{BatchEpoch, LeaderEpoch, NodeId, Offset, PartitionIndex, TopicId};
use aquifer_wire::{ErrorCode, Text};

use super::settings::OutOfRange;
use super::start::Start;
use super::state::{State, Trouble};
use crate::cluster::{Leader, Topic};
use crate::offsets::EpochEnd;
use crate::per_leader::Place;

fn place() -> Place {
    (Text::from_static("orders"), PartitionIndex(0))
}

fn led_by(node: i32, epoch: i32) -> Topic {
    let leader = Leader { node: NodeId(node), epoch: LeaderEpoch(epoch) };
    let leaders = BTreeMap::from([(PartitionIndex(0), leader)]);
    Topic { id: TopicId::default(), leaders, partitions: 1 }
}

/// A state that read partition 0 up to offset 10, the last record from epoch 3, led by node 1.
fn reading(policy: OutOfRange) -> State {
    let mut state = State::new(policy);
    state.seek(place(), Start::Offset(Offset(0)));
    state.learn(&place().0, &led_by(1, 3));
    assert!(state.advance(&place(), 0, Offset(10), BatchEpoch(3)));
    state
}

fn fetched_from(state: &State, node: i32) -> Option<i64> {
    state.fetchable(NodeId(node)).next().map(|(_, _, _, wanted)| wanted.offset.0)
}

fn ends_at(end: i64) -> EpochEnd {
    EpochEnd { epoch: Some(LeaderEpoch(3)), end: Some(Offset(end)) }
}

#[test]
fn a_new_leader_is_asked_whether_it_has_what_was_read_before_it_is_read() {
    let mut state = reading(OutOfRange::Tell);

    state.learn(&place().0, &led_by(2, 4));
    let before = fetched_from(&state, 2);
    let checks = state.unknowns().checks;
    let trouble = state.check(&place(), 0, ends_at(10));

    assert_eq!(before, None);
    assert_eq!(checks, [(place(), 0, LeaderEpoch(3))]);
    assert!(trouble.is_none());
    assert_eq!(fetched_from(&state, 2), Some(10));
}

#[test]
fn a_log_that_was_cut_back_is_told_or_read_from_the_cut() {
    let mut telling = reading(OutOfRange::Tell);
    telling.learn(&place().0, &led_by(2, 4));
    let trouble = telling.check(&place(), 0, ends_at(7));
    assert!(matches!(trouble, Some(Trouble::Truncated { offset: Offset(10), end: Offset(7), .. })));
    assert_eq!(fetched_from(&telling, 2), None);

    let mut going_on = reading(OutOfRange::Earliest);
    going_on.learn(&place().0, &led_by(2, 4));
    assert!(going_on.check(&place(), 0, ends_at(7)).is_none());
    assert_eq!(fetched_from(&going_on, 2), Some(7));
}

#[test]
fn an_offset_out_of_range_follows_the_policy() {
    let code = ErrorCode::OFFSET_OUT_OF_RANGE;
    for (policy, start) in [(OutOfRange::Earliest, Start::Earliest), (OutOfRange::Latest, Start::Latest)] {
        let mut state = reading(policy);
        assert!(state.refuse(&place(), 0, code, None).is_none());
        assert_eq!(state.unknowns().starts, [(place(), 0, start)]);
    }
    let mut state = reading(OutOfRange::Tell);
    let trouble = state.refuse(&place(), 0, code, None);
    assert!(matches!(trouble, Some(Trouble::OutOfRange { offset: Offset(10), .. })));
    assert_eq!(fetched_from(&state, 1), None);
}

#[test]
fn what_was_fetched_before_a_seek_counts_for_nothing() {
    let mut state = reading(OutOfRange::Tell);

    state.seek(place(), Start::Offset(Offset(3)));

    assert!(!state.advance(&place(), 0, Offset(20), BatchEpoch(3)));
    assert!(!state.consume(&place(), 0, Offset(20)));
    assert_eq!(fetched_from(&state, 1), Some(3));
    assert_eq!(state.consumed().next().map(|(_, offset)| offset), Some(Offset(3)));
}

#[test]
fn a_leader_named_beside_an_error_is_taken_only_if_it_is_newer() {
    let (old, new) = (led_by(2, 3).leaders[&PartitionIndex(0)], led_by(2, 5).leaders[&PartitionIndex(0)]);
    let code = ErrorCode::NOT_LEADER_OR_FOLLOWER;

    let mut state = reading(OutOfRange::Tell);
    state.refuse(&place(), 0, code, Some(old));
    assert_eq!(state.unknowns().leaders, [place().0]);

    let mut state = reading(OutOfRange::Tell);
    state.refuse(&place(), 0, code, Some(new));
    assert!(state.unknowns().leaders.is_empty());
    assert_eq!(state.unknowns().checks.len(), 1);
}

#[test]
fn the_end_is_told_once_for_each_high_watermark() {
    let mut state = reading(OutOfRange::Tell);

    let told: Vec<bool> =
        [11, 10, 10].map(|mark| state.reached_end(&place(), 0, Offset(mark))).into_iter().collect();

    assert_eq!(told, [false, true, false]);
}

#[test]
fn a_time_after_the_last_record_becomes_the_end() {
    let mut state = State::new(OutOfRange::Tell);
    state.seek(place(), Start::Time(aquifer_types::TimestampMs(99)));
    state.learn(&place().0, &led_by(1, 3));

    state.resolve(&place(), 0, Start::Time(aquifer_types::TimestampMs(99)), None);

    assert_eq!(state.unknowns().starts, [(place(), 0, Start::Latest)]);
    state.resolve(&place(), 0, Start::Latest, Some(Offset(42)));
    assert_eq!(fetched_from(&state, 1), Some(42));
}

#[test]
fn so_many_before_the_end_is_never_below_zero() {
    assert_eq!(Start::BeforeEnd(10).resolve(Some(Offset(3))), Ok(Offset(0)));
    assert_eq!(Start::BeforeEnd(10).resolve(Some(Offset(30))), Ok(Offset(20)));
}
