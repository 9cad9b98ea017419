//! Tests of the core, one transition each: exact effects.

use aquifer_record::{Attributes, BatchHeader, TimestampType};
use aquifer_types::{BatchEpoch, FencingToken, PartitionEpoch, ProducerEpoch, ProducerId};

use super::*;
use crate::{
    Acknowledgement, Acks, Append, Follow, Isolation, Latest, Lead, Readable, Refusal, Ticket, WrongEpoch,
};

const ME: NodeId = NodeId(0);
const NOW: TimestampMs = TimestampMs(1_000_000);

fn lead(epoch: i32, partition_epoch: i32, in_sync: &[i32]) -> Lead {
    Lead {
        epoch: LeaderEpoch(epoch),
        partition_epoch: PartitionEpoch(partition_epoch),
        replicas: vec![NodeId(0), NodeId(1), NodeId(2)],
        in_sync: in_sync.iter().copied().map(NodeId).collect(),
        in_sync_min: 1,
        tier_end: Offset::ZERO,
    }
}

fn follow(epoch: i32, partition_epoch: i32) -> Input {
    Input::Follow(Follow {
        epoch: LeaderEpoch(epoch),
        partition_epoch: PartitionEpoch(partition_epoch),
        leader: Some(NodeId(1)),
    })
}

fn replica(durability: Durability) -> Core {
    let recovered = Recovered { log_start: Offset::ZERO, log_end: Offset::ZERO, durability };
    Core::new(ME, recovered, Settings::default())
}

fn leader_of(in_sync: &[i32], durability: Durability) -> Core {
    let mut core = replica(durability);
    assert_eq!(step(&mut core, Input::Lead(lead(7, 1, in_sync))), []);
    core
}

fn leader() -> Core {
    leader_of(&[0], Durability::Flushed)
}

fn step(core: &mut Core, input: Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    core.step(NOW, input, &mut effects);
    effects
}

fn batch(count: i32) -> BatchHeader {
    BatchHeader {
        base_offset: Offset(0),
        length: 49,
        epoch: BatchEpoch(-1),
        crc: 0,
        attributes: Attributes(0),
        last_offset_delta: count - 1,
        base_timestamp: TimestampMs(500),
        max_timestamp: TimestampMs(500),
        producer_id: ProducerId(-1),
        producer_epoch: ProducerEpoch(-1),
        base_sequence: -1,
        count,
    }
}

fn produced(epoch: i16, sequence: i32, count: i32) -> BatchHeader {
    BatchHeader {
        producer_id: ProducerId(9),
        producer_epoch: ProducerEpoch(epoch),
        base_sequence: sequence,
        ..batch(count)
    }
}

fn append(ticket: u64, batch: BatchHeader, acks: Acks) -> Input {
    Input::Append(Append {
        ticket: Ticket(ticket),
        expected_epoch: None,
        batch,
        acks,
        token: None,
        expected_end: None,
        strict: false,
    })
}

fn appended(ticket: u64, base: i64) -> Effect {
    Effect::Append { ticket: Ticket(ticket), base: Offset(base), epoch: BatchEpoch(7) }
}

fn acknowledged(ticket: u64, base: i64) -> Effect {
    Effect::Acknowledge(Acknowledgement {
        ticket: Ticket(ticket),
        base: Offset(base),
        log_start: Offset::ZERO,
        log_append_time: TimestampMs::NONE,
        duplicate: false,
    })
}

fn duplicate(ticket: u64, base: i64) -> Effect {
    let Effect::Acknowledge(acknowledgement) = acknowledged(ticket, base) else { unreachable!() };
    Effect::Acknowledge(Acknowledgement { duplicate: true, ..acknowledgement })
}

fn refused(ticket: u64, refusal: Refusal) -> Effect {
    Effect::Refuse { ticket: Ticket(ticket), refusal }
}

fn woken(high_watermark: i64) -> Effect {
    Effect::Wake { high_watermark: Offset(high_watermark) }
}

fn written(upto: i64) -> Input {
    Input::Written { upto: Offset(upto) }
}

fn flushed(upto: i64) -> Input {
    Input::Flushed { upto: Offset(upto) }
}

fn fetched(follower: i32, from: i64) -> Input {
    Input::FollowerFetched { epoch: LeaderEpoch(7), follower: NodeId(follower), from: Offset(from) }
}

fn follower_flushed(follower: i32, upto: i64) -> Input {
    Input::FollowerFlushed { epoch: LeaderEpoch(7), follower: NodeId(follower), upto: Offset(upto) }
}

#[test]
fn acks_all_waits_for_the_flush_and_acks_one_for_the_write() {
    let mut core = leader();

    assert_eq!(step(&mut core, append(1, batch(3), Acks::All)), [appended(1, 0)]);
    assert_eq!(step(&mut core, append(2, batch(2), Acks::Leader)), [appended(2, 3)]);
    assert_eq!(step(&mut core, append(3, batch(1), Acks::None)), [appended(3, 5)]);

    assert_eq!(step(&mut core, written(6)), [acknowledged(2, 3)]);
    assert_eq!(step(&mut core, flushed(5)), [woken(5), acknowledged(1, 0)]);
    assert_eq!(step(&mut core, flushed(6)), [woken(6)]);
}

#[test]
fn on_a_page_cache_topic_the_write_is_enough() {
    let mut core = leader_of(&[0], Durability::PageCache);
    step(&mut core, append(1, batch(3), Acks::All));

    assert_eq!(step(&mut core, written(3)), [woken(3), acknowledged(1, 0)]);
    assert_eq!(step(&mut core, flushed(3)), []);
}

#[test]
fn the_high_watermark_waits_for_the_slowest_in_sync_replica_the_leader_included() {
    let mut core = leader_of(&[0, 1], Durability::Flushed);
    step(&mut core, append(1, batch(3), Acks::All));
    step(&mut core, written(3));

    assert_eq!(step(&mut core, fetched(1, 3)), []);
    assert_eq!(step(&mut core, follower_flushed(1, 3)), []);
    assert_eq!(step(&mut core, flushed(2)), [woken(2)]);
    assert_eq!(step(&mut core, flushed(3)), [woken(3), acknowledged(1, 0)]);
}

#[test]
fn a_followers_claim_beyond_the_log_counts_as_its_end() {
    let mut core = leader_of(&[0, 1], Durability::PageCache);
    step(&mut core, append(1, batch(1), Acks::All));

    assert_eq!(step(&mut core, fetched(1, 1_000)), []);
    step(&mut core, append(2, batch(1), Acks::All));

    assert_eq!(step(&mut core, written(2)), [woken(1), acknowledged(1, 0)]);
}

#[test]
fn a_follower_of_another_epoch_or_no_replica_is_not_heard() {
    let mut core = leader_of(&[0, 1], Durability::PageCache);
    step(&mut core, append(1, batch(1), Acks::All));
    step(&mut core, written(1));

    let stale = Input::FollowerFetched { epoch: LeaderEpoch(6), follower: NodeId(1), from: Offset(1) };
    assert_eq!(step(&mut core, stale), []);
    assert_eq!(step(&mut core, fetched(5, 1)), []);
    assert_eq!(step(&mut core, fetched(2, 1)), []);
    assert_eq!(core.marks().high_watermark(), Offset::ZERO);
}

#[test]
fn too_few_in_sync_refuse_acks_all_and_stop_the_high_watermark() {
    let mut core = replica(Durability::Flushed);
    step(&mut core, Input::Lead(Lead { in_sync_min: 2, ..lead(7, 1, &[0, 1]) }));
    step(&mut core, append(1, batch(1), Acks::All));
    step(&mut core, Input::Lead(Lead { in_sync_min: 2, ..lead(7, 2, &[0]) }));

    let refusal = Refusal::NotEnoughReplicas { in_sync: 1, min: 2 };
    assert_eq!(step(&mut core, append(2, batch(1), Acks::All)), [refused(2, refusal)]);
    assert_eq!(step(&mut core, append(3, batch(1), Acks::Leader)), [appended(3, 1)]);
    assert_eq!(step(&mut core, written(2)), [acknowledged(3, 1)]);
    assert_eq!(step(&mut core, flushed(2)), []);
    let back = Lead { in_sync_min: 1, ..lead(7, 3, &[0]) };
    assert_eq!(step(&mut core, Input::Lead(back)), [woken(2), acknowledged(1, 0)]);
}

#[test]
fn a_client_that_knows_another_epoch_is_refused_and_nothing_is_written() {
    let mut core = leader();
    let current = LeaderEpoch(7);
    for (named, refusal) in [
        (LeaderEpoch(6), Refusal::FencedEpoch { current, named: LeaderEpoch(6) }),
        (LeaderEpoch(8), Refusal::UnknownEpoch { current, named: LeaderEpoch(8) }),
    ] {
        let stale = Append {
            ticket: Ticket(1),
            expected_epoch: Some(named),
            batch: batch(1),
            acks: Acks::All,
            token: None,
            expected_end: None,
            strict: false,
        };
        assert_eq!(step(&mut core, Input::Append(stale)), [refused(1, refusal)]);
    }
    assert_eq!(core.marks().log_end(), Offset::ZERO);
}

fn on_terms(ticket: u64, batch: BatchHeader, expected_end: Option<i64>, strict: bool) -> Input {
    let expected_end = expected_end.map(Offset);
    Input::Append(Append {
        ticket: Ticket(ticket),
        expected_epoch: None,
        batch,
        acks: Acks::All,
        token: None,
        expected_end,
        strict,
    })
}

#[test]
fn a_batch_that_expects_another_end_is_refused_unless_it_stands_there_already() {
    let mut core = leader();
    let first = produced(0, 0, 2);
    assert_eq!(step(&mut core, on_terms(1, first, Some(0), true)), [appended(1, 0)]);
    let unexpected = Refusal::UnexpectedEnd { expected: Offset(0), end: Offset(2) };
    assert_eq!(step(&mut core, on_terms(2, batch(1), Some(0), true)), [refused(2, unexpected)]);
    let beyond = Refusal::UnexpectedEnd { expected: Offset(3), end: Offset(2) };
    assert_eq!(step(&mut core, on_terms(3, batch(1), Some(3), true)), [refused(3, beyond)]);
    assert_eq!(step(&mut core, on_terms(4, first, Some(0), true)), [], "it waits with its original");
    assert_eq!(step(&mut core, on_terms(5, batch(1), Some(2), true)), [appended(5, 2)]);
}

#[test]
fn an_append_under_another_fencing_token_is_refused_unless_it_stands_there_already() {
    let mut core = leader();
    let token = |text: &str| text.parse::<FencingToken>().expect("a token");
    let under = |ticket, batch, text: &str, end| {
        let Input::Append(append) = on_terms(ticket, batch, end, true) else { unreachable!() };
        Input::Append(Append { token: Some(token(text)), ..append })
    };
    let none = Refusal::AnotherToken { current: None };
    assert_eq!(step(&mut core, under(1, batch(1), "a", None)), [refused(1, none)]);
    assert_eq!(step(&mut core, Input::Fence(Some(token("a")))), []);
    let first = produced(0, 0, 2);
    assert_eq!(step(&mut core, under(2, first, "a", Some(0))), [appended(2, 0)]);
    step(&mut core, Input::Fence(Some(token("b"))));
    let other = Refusal::AnotherToken { current: Some(token("b")) };
    assert_eq!(step(&mut core, under(3, batch(1), "a", Some(2))), [refused(3, other)]);
    assert_eq!(step(&mut core, under(4, batch(1), "a", Some(0))), [refused(4, other)], "before the end");
    assert_eq!(step(&mut core, under(5, first, "a", Some(0))), [], "it waits with its original");
    assert_eq!(step(&mut core, on_terms(6, batch(1), None, true)), [appended(6, 2)], "it says no token");
    assert_eq!(step(&mut core, under(7, batch(1), "b", Some(3))), [appended(7, 3)]);
}

#[test]
fn where_it_matters_a_producer_that_nobody_knows_begins_with_zero() {
    let mut core = leader();
    let later = produced(0, 5, 1);
    let gap = Refusal::OutOfOrderSequence { expected: 0, named: 5 };
    assert_eq!(step(&mut core, on_terms(1, later, None, true)), [refused(1, gap)]);
    assert_eq!(step(&mut core, on_terms(2, later, None, false)), [appended(2, 0)]);
}

#[test]
fn who_does_not_lead_takes_nothing() {
    let mut core = replica(Durability::Flushed);
    assert_eq!(step(&mut core, append(1, batch(1), Acks::All)), [refused(1, Refusal::NotLeader)]);
    step(&mut core, follow(7, 1));
    assert_eq!(step(&mut core, append(2, batch(1), Acks::All)), [refused(2, Refusal::NotLeader)]);
    step(&mut core, Input::GoOffline);
    assert_eq!(step(&mut core, append(3, batch(1), Acks::All)), [refused(3, Refusal::Offline)]);
    step(&mut core, Input::Lead(lead(8, 2, &[0])));
    assert_eq!(step(&mut core, append(4, batch(1), Acks::All)), [refused(4, Refusal::Offline)]);
}

#[test]
fn transactional_batches_are_refused() {
    let mut core = leader();
    let transactional = BatchHeader { attributes: Attributes(1 << 4), ..produced(0, 0, 1) };

    let effects = step(&mut core, append(1, transactional, Acks::All));

    assert_eq!(effects, [refused(1, Refusal::Transactional)]);
}

#[test]
fn a_duplicate_gets_the_original_offset_and_waits_as_long_as_the_original() {
    let mut core = leader();
    step(&mut core, append(1, produced(0, 0, 2), Acks::All));
    step(&mut core, append(2, produced(0, 2, 2), Acks::All));

    assert_eq!(step(&mut core, append(3, produced(0, 0, 2), Acks::All)), []);
    assert_eq!(step(&mut core, append(4, produced(0, 2, 2), Acks::Leader)), []);
    assert_eq!(core.marks().log_end(), Offset(4));

    assert_eq!(step(&mut core, written(4)), [duplicate(4, 2)]);
    assert_eq!(step(&mut core, flushed(2)), [woken(2), acknowledged(1, 0), duplicate(3, 0)]);
    assert_eq!(step(&mut core, append(5, produced(0, 0, 2), Acks::All)), [duplicate(5, 0)]);
}

#[test]
fn a_gap_in_the_sequence_is_refused() {
    let mut core = leader();
    step(&mut core, append(1, produced(0, 0, 2), Acks::All));

    let gap = Refusal::OutOfOrderSequence { expected: 2, named: 3 };
    assert_eq!(step(&mut core, append(2, produced(0, 3, 1), Acks::All)), [refused(2, gap)]);
    let partly_new = Refusal::OutOfOrderSequence { expected: 2, named: 0 };
    assert_eq!(step(&mut core, append(3, produced(0, 0, 3), Acks::All)), [refused(3, partly_new)]);
    assert_eq!(step(&mut core, append(4, produced(0, 2, 1), Acks::All)), [appended(4, 2)]);
}

#[test]
fn an_unknown_producer_may_start_anywhere_and_sequences_wrap_to_zero() {
    let mut core = leader();
    assert_eq!(step(&mut core, append(1, produced(3, i32::MAX - 1, 2), Acks::All)), [appended(1, 0)]);

    let negative = Refusal::OutOfOrderSequence { expected: 0, named: i32::MIN };
    assert_eq!(step(&mut core, append(2, produced(3, i32::MIN, 1), Acks::All)), [refused(2, negative)]);
    assert_eq!(step(&mut core, append(3, produced(3, 0, 1), Acks::All)), [appended(3, 2)]);
}

#[test]
fn a_producers_older_epoch_is_fenced_and_a_newer_one_starts_at_zero() {
    let mut core = leader();
    step(&mut core, append(1, produced(4, 0, 2), Acks::All));

    let (current, named) = (ProducerEpoch(4), ProducerEpoch(3));
    let fenced = Refusal::FencedProducer { current, named };
    assert_eq!(step(&mut core, append(2, produced(3, 2, 1), Acks::All)), [refused(2, fenced)]);
    let late = Refusal::OutOfOrderSequence { expected: 0, named: 2 };
    assert_eq!(step(&mut core, append(3, produced(5, 2, 1), Acks::All)), [refused(3, late)]);
    assert_eq!(step(&mut core, append(4, produced(5, 0, 1), Acks::All)), [appended(4, 2)]);
}

#[test]
fn a_failed_write_refuses_what_was_queued_and_gives_its_offsets_and_sequences_back() {
    let mut core = leader();
    step(&mut core, append(1, produced(0, 0, 2), Acks::All));
    let before: Vec<_> = core.producers().copied().collect();
    step(&mut core, append(2, produced(0, 2, 2), Acks::All));
    step(&mut core, append(3, produced(0, 2, 2), Acks::All));
    step(&mut core, append(4, batch(1), Acks::Leader));
    step(&mut core, written(2));

    let effects = step(&mut core, Input::WriteFailed { from: Offset(2) });

    let failed = |ticket| refused(ticket, Refusal::WriteFailed);
    assert_eq!(effects, [failed(4), failed(2), failed(3)]);
    assert_eq!(core.producers().copied().collect::<Vec<_>>(), before);
    assert_eq!(step(&mut core, append(5, produced(0, 2, 1), Acks::All)), [appended(5, 2)]);
    step(&mut core, written(3));
    assert_eq!(step(&mut core, flushed(3)), [woken(3), acknowledged(1, 0), acknowledged(5, 2)]);
}

#[test]
#[should_panic(expected = "rewound what was written (I3)")]
fn what_was_written_is_never_taken_back() {
    let mut core = leader();
    step(&mut core, append(1, batch(2), Acks::All));
    step(&mut core, written(2));

    step(&mut core, Input::WriteFailed { from: Offset(1) });
}

#[test]
#[should_panic(expected = "flushed before it was written (I1)")]
fn what_is_not_written_is_never_flushed() {
    let mut core = leader();
    step(&mut core, append(1, batch(2), Acks::All));

    step(&mut core, flushed(1));
}

#[test]
#[should_panic(expected = "deleted before it was committed (I1)")]
fn what_is_not_committed_is_never_deleted() {
    let mut core = leader();
    step(&mut core, append(1, batch(2), Acks::All));
    step(&mut core, written(2));

    step(&mut core, Input::MoveLogStart { upto: Offset(1) });
}

#[test]
fn the_log_start_moves_and_is_told_in_acknowledgements() {
    let mut core = leader();
    step(&mut core, append(1, batch(4), Acks::All));
    step(&mut core, written(4));
    step(&mut core, flushed(4));

    let moved = Effect::LogStartMoved { log_start: Offset(3) };
    assert_eq!(step(&mut core, Input::MoveLogStart { upto: Offset(3) }), [moved]);
    assert_eq!(step(&mut core, Input::MoveLogStart { upto: Offset(2) }), []);

    let read = |from| core.readable(Offset(from), Isolation::ReadUncommitted, None);
    assert_eq!(read(2), Readable::OutOfRange);
    assert_eq!(read(3), Readable::Read { upto: Offset(4) });
}

#[test]
fn readers_see_only_what_is_committed() {
    let mut core = leader();
    step(&mut core, append(1, batch(4), Acks::All));
    step(&mut core, written(4));
    step(&mut core, flushed(2));

    let read = |from, expected| core.readable(Offset(from), Isolation::ReadCommitted, expected);
    assert_eq!(read(0, Some(LeaderEpoch(7))), Readable::Read { upto: Offset(2) });
    assert_eq!(read(2, None), Readable::Wait);
    assert_eq!(read(4, None), Readable::Wait);
    assert_eq!(read(5, None), Readable::OutOfRange);
    assert_eq!(read(0, Some(LeaderEpoch(6))), Readable::WrongEpoch(WrongEpoch::Fenced));
    assert_eq!(read(0, Some(LeaderEpoch(8))), Readable::WrongEpoch(WrongEpoch::Unknown));
}

#[test]
fn a_new_leader_names_no_end_until_it_has_committed_what_it_found() {
    let mut core = replica(Durability::Flushed);
    step(&mut core, follow(6, 1));
    step(&mut core, Input::Replicate(batch(5)));
    step(&mut core, written(5));
    step(&mut core, flushed(5));

    assert_eq!(step(&mut core, Input::Lead(lead(7, 2, &[0, 1]))), []);
    assert_eq!(core.latest(Isolation::ReadUncommitted, None), Latest::NotYet);
    step(&mut core, fetched(1, 5));
    assert_eq!(step(&mut core, follower_flushed(1, 5)), [woken(5)]);
    assert_eq!(core.latest(Isolation::ReadUncommitted, None), Latest::End(Offset(5)));
}

#[test]
fn stale_roles_change_nothing() {
    let mut core = leader();
    step(&mut core, append(1, batch(1), Acks::All));
    for stale in [follow(6, 9), follow(7, 1), Input::Lead(lead(6, 9, &[0])), Input::Lead(lead(7, 1, &[0, 1]))]
    {
        assert_eq!(step(&mut core, stale), []);
        assert_eq!(core.role().leads_in(), Some(LeaderEpoch(7)));
    }
    step(&mut core, written(1));
    assert_eq!(step(&mut core, flushed(1)), [woken(1), acknowledged(1, 0)]);
}

#[test]
fn a_leader_that_is_deposed_leaves_its_waiting_clients_to_the_next() {
    let mut core = leader();
    step(&mut core, append(1, batch(1), Acks::All));

    assert_eq!(step(&mut core, follow(8, 2)), [refused(1, Refusal::NotLeader)]);
    assert_eq!(step(&mut core, Input::Written { upto: Offset(1) }), []);
    assert_eq!(core.readable(Offset(0), Isolation::ReadUncommitted, None), Readable::NotLeader);
}

#[test]
fn a_follower_knows_no_high_watermark_before_its_leader_answered() {
    let mut core = leader();
    step(&mut core, append(1, batch(4), Acks::All));
    step(&mut core, written(4));
    step(&mut core, flushed(4));
    step(&mut core, follow(8, 2));
    assert_eq!(core.marks().high_watermark(), Offset::ZERO);

    let answer = |epoch| Input::LeaderAnswered {
        epoch: LeaderEpoch(epoch),
        high_watermark: Offset(9),
        log_start: Offset(2),
    };
    assert_eq!(step(&mut core, answer(7)), []);
    let moved = Effect::LogStartMoved { log_start: Offset(2) };
    assert_eq!(step(&mut core, answer(8)), [woken(4), moved]);
}

#[test]
fn a_follower_that_becomes_leader_starts_from_what_it_last_knew() {
    let mut core = leader();
    step(&mut core, append(1, batch(4), Acks::All));
    step(&mut core, written(4));
    step(&mut core, flushed(3));
    step(&mut core, follow(8, 2));

    assert_eq!(step(&mut core, Input::Lead(lead(9, 3, &[0, 1]))), [woken(3)]);
}

#[test]
fn changing_to_flushed_waits_for_a_sync_to_the_end_and_never_takes_back_what_is_committed() {
    let mut core = leader_of(&[0], Durability::PageCache);
    step(&mut core, append(1, batch(4), Acks::All));
    step(&mut core, written(3));
    step(&mut core, flushed(1));

    let effects = step(&mut core, Input::SetDurability(Durability::Flushed));

    assert_eq!(effects, [Effect::Flush { upto: Offset(4) }]);
    step(&mut core, append(2, batch(2), Acks::All));
    assert_eq!(step(&mut core, written(6)), [woken(4), acknowledged(1, 0)]);
    assert_eq!(step(&mut core, flushed(4)), [Effect::DurabilityHolds(Durability::Flushed)]);
    assert_eq!(step(&mut core, flushed(6)), [woken(6), acknowledged(2, 4)]);
}

#[test]
fn changing_to_page_cache_commits_what_is_written() {
    let mut core = leader();
    step(&mut core, append(1, batch(4), Acks::All));
    step(&mut core, written(4));

    let effects = step(&mut core, Input::SetDurability(Durability::PageCache));

    assert_eq!(effects, [Effect::DurabilityHolds(Durability::PageCache), woken(4), acknowledged(1, 0)]);
}

#[test]
fn a_failed_write_lets_a_waiting_change_of_durability_hold() {
    let mut core = leader_of(&[0], Durability::PageCache);
    step(&mut core, append(1, batch(4), Acks::Leader));
    step(&mut core, Input::SetDurability(Durability::Flushed));

    let effects = step(&mut core, Input::WriteFailed { from: Offset(0) });

    assert_eq!(effects, [refused(1, Refusal::WriteFailed), Effect::DurabilityHolds(Durability::Flushed)]);
}

#[test]
fn log_append_time_is_answered_and_a_duplicate_gets_the_first_ones() {
    let mut core = leader();
    let stamped = |time| {
        let attributes = Attributes(0).with_log_append_time();
        BatchHeader { attributes, max_timestamp: TimestampMs(time), ..produced(0, 0, 1) }
    };
    assert_eq!(stamped(1).attributes.timestamp_type(), TimestampType::LogAppendTime);
    step(&mut core, append(1, stamped(800), Acks::Leader));
    step(&mut core, append(2, stamped(900), Acks::Leader));

    let times: Vec<_> = step(&mut core, written(1))
        .iter()
        .map(|effect| match effect {
            Effect::Acknowledge(acknowledgement) => acknowledgement.log_append_time,
            _ => TimestampMs::NONE,
        })
        .collect();

    assert_eq!(times, [TimestampMs(800), TimestampMs(800)]);
}

#[test]
fn too_many_appends_in_flight_are_refused() {
    let recovered =
        Recovered { log_start: Offset::ZERO, log_end: Offset::ZERO, durability: Durability::Flushed };
    let mut core = Core::new(ME, recovered, Settings { in_flight_max: 1, ..Settings::default() });
    step(&mut core, Input::Lead(lead(7, 1, &[0])));
    step(&mut core, append(1, batch(1), Acks::All));

    let effects = step(&mut core, append(2, batch(1), Acks::All));

    assert_eq!(effects, [refused(2, Refusal::TooManyInFlight)]);
}

#[test]
fn what_is_written_is_in_flight_no_more() {
    let recovered =
        Recovered { log_start: Offset::ZERO, log_end: Offset::ZERO, durability: Durability::Flushed };
    let mut core = Core::new(ME, recovered, Settings { in_flight_max: 1, ..Settings::default() });
    step(&mut core, Input::Lead(lead(7, 1, &[0])));
    step(&mut core, append(1, produced(0, 0, 1), Acks::None));

    let effects = step(&mut core, append(2, produced(0, 1, 1), Acks::None));
    assert_eq!(effects, [refused(2, Refusal::TooManyInFlight)]);
    step(&mut core, written(1));
    assert_eq!(step(&mut core, append(3, produced(0, 1, 1), Acks::None)), [appended(3, 1)]);
}

#[test]
fn the_last_offset_there_is_cannot_be_passed() {
    let end = Offset(i64::MAX - 1);
    let recovered = Recovered { log_start: end, log_end: end, durability: Durability::Flushed };
    let mut core = Core::new(ME, recovered, Settings::default());
    step(&mut core, Input::Lead(lead(7, 1, &[0])));

    let effects = step(&mut core, append(1, batch(2), Acks::All));

    assert_eq!(effects, [refused(1, Refusal::OffsetsUsedUp)]);
}

#[test]
fn a_log_that_lost_more_than_was_deleted_starts_over_at_its_start() {
    let recovered = Recovered { log_start: Offset(10), log_end: Offset(4), durability: Durability::Flushed };
    let mut core = Core::new(ME, recovered, Settings::default());
    step(&mut core, Input::Lead(lead(7, 1, &[0])));

    assert_eq!(step(&mut core, append(1, batch(1), Acks::All)), [appended(1, 10)]);
}

/// A leader with twenty committed records, the first ten of them gone from our disk.
fn leader_without_its_first_ten() -> Core {
    let mut core = leader();
    for ticket in 1..=2 {
        step(&mut core, append(ticket, batch(10), Acks::All));
    }
    step(&mut core, Input::Written { upto: Offset(20) });
    step(&mut core, Input::Flushed { upto: Offset(20) });
    step(&mut core, Input::MoveLogStart { upto: Offset(10) });
    core
}

fn readable(core: &Core, from: i64) -> Readable {
    core.readable(Offset(from), Isolation::ReadUncommitted, None)
}

#[test]
fn a_log_starts_in_the_tier_if_that_reaches_to_our_disk() {
    let mut core = leader_without_its_first_ten();
    assert_eq!(readable(&core, 9), Readable::OutOfRange);

    let moved = step(&mut core, Input::Tiered { start: Offset(3), end: Offset(12) });

    assert_eq!(moved, [Effect::LogStartMoved { log_start: Offset(3) }]);
    assert_eq!(readable(&core, 2), Readable::OutOfRange);
    assert_eq!(readable(&core, 3), Readable::Cold { upto: Offset(10) });
    assert_eq!(readable(&core, 10), Readable::Read { upto: Offset(20) });
}

#[test]
fn a_tier_that_ends_before_our_disk_begins_is_not_read() {
    let mut core = leader_without_its_first_ten();

    assert_eq!(step(&mut core, Input::Tiered { start: Offset(3), end: Offset(9) }), []);

    assert_eq!(core.marks().log_start(), Offset(10));
    assert_eq!(readable(&core, 5), Readable::OutOfRange);
}

#[test]
fn what_the_quorum_gave_up_is_not_served_though_our_disk_has_it() {
    let mut core = leader_without_its_first_ten();
    step(&mut core, Input::Tiered { start: Offset(3), end: Offset(18) });

    let moved = step(&mut core, Input::Tiered { start: Offset(15), end: Offset(18) });

    assert_eq!(moved, [Effect::LogStartMoved { log_start: Offset(15) }]);
    assert_eq!(
        (readable(&core, 14), readable(&core, 15)),
        (Readable::OutOfRange, Readable::Read { upto: Offset(20) })
    );
    assert_eq!(core.marks().local_start(), Offset(15));
}

#[test]
fn a_sole_replica_that_has_nothing_goes_on_where_the_tier_ends() {
    let mut core = replica(Durability::Flushed);
    core.begin_at(Offset(500));
    step(&mut core, Input::Tiered { start: Offset(20), end: Offset(500) });
    step(&mut core, Input::Lead(Lead { tier_end: Offset(500), ..lead(7, 1, &[0]) }));

    let marks = core.marks();
    assert_eq!((marks.log_start(), marks.local_start()), (Offset(20), Offset(500)));
    assert_eq!((marks.high_watermark(), marks.log_end()), (Offset(500), Offset(500)));
    assert_eq!(readable(&core, 20), Readable::Cold { upto: Offset(500) });
    assert_eq!(step(&mut core, append(1, batch(1), Acks::All)), [appended(1, 500)]);
}

#[test]
#[should_panic(expected = "I3")]
fn no_log_goes_on_below_its_end() {
    let mut core = replica(Durability::Flushed);
    core.begin_at(Offset(500));

    core.begin_at(Offset(499));
}
