//! Single requests of a session, step by step.

use aquifer_types::{ClusterId, Offset, PartitionIndex, TimestampMs, TopicId, TopicPartition, Uuid};

use crate::cursor::Progress;
use crate::places::{Partitions, Positions};
use crate::poll::Poll;
use crate::session::{Session, StartAt};
use crate::step::{Assignment, Beat, CommitAnswer, HeartbeatAnswer, Intent, PollError, Step};

fn at(partition: i32) -> TopicPartition {
    TopicPartition { topic: TopicId(Uuid::from_bytes([7; 16])), partition: PartitionIndex(partition) }
}

fn places(partitions: &[i32]) -> Partitions {
    partitions.iter().copied().map(at).collect()
}

fn offsets(pairs: &[(i32, i64)]) -> Positions {
    pairs.iter().map(|(partition, offset)| (at(*partition), Offset(*offset))).collect()
}

fn upto(pairs: &[(i32, i64)]) -> Progress {
    Progress { tenure: 0, positions: offsets(pairs) }
}

fn session(owned: &[i32]) -> Session {
    Session {
        cluster: ClusterId::default(),
        principal: String::new(),
        group: "group".to_owned(),
        member: "m".to_owned(),
        instance: None,
        epoch: 4,
        topics: vec!["orders".to_owned()],
        start: StartAt::Earliest,
        owned: Some(places(owned).into_iter().map(|place| (place, 0)).collect()),
        tenure: 0,
        ttl_ms: 60_000,
        expires_at: TimestampMs(0),
    }
}

fn member(epoch: i32, partitions: &[i32]) -> HeartbeatAnswer {
    HeartbeatAnswer::Member(Assignment { epoch, partitions: Some(places(partitions)) })
}

fn beat(epoch: i32, owned: &[i32]) -> Step {
    Step::Beat(Beat { epoch, owned: places(owned) })
}

#[test]
fn a_request_goes_on_where_its_cursor_says_and_asks_only_for_what_it_leaves_out() {
    let mut poll = Poll::new(&session(&[0, 1, 2]), Intent::Read, &upto(&[]), Some(&upto(&[(0, 10)])));

    assert_eq!(*poll.step(), beat(4, &[0, 1, 2]));
    poll.heard(member(4, &[0, 1, 2])).expect("a member");
    assert_eq!(*poll.step(), Step::AskCommitted(places(&[1, 2])));
    poll.committed_are(&offsets(&[(1, 5)]));
    assert_eq!(*poll.step(), Step::FindStarts(places(&[2])));
    poll.starts_are(&offsets(&[(2, 3)]));

    assert_eq!(*poll.step(), Step::Read);
    assert_eq!(*poll.positions(), offsets(&[(0, 10), (1, 5), (2, 3)]));
}

#[test]
fn an_acknowledgement_is_committed_once_and_reading_goes_on_behind_it() {
    let mut poll = Poll::new(&session(&[0, 1]), Intent::Read, &upto(&[(0, 10), (1, 7)]), None);

    poll.heard(member(5, &[0, 1])).expect("a member");
    poll.committed_are(&offsets(&[(0, 2), (1, 9)]));

    assert_eq!(*poll.step(), Step::Commit { epoch: 5, offsets: offsets(&[(0, 10)]) });
    poll.commit_answered(CommitAnswer::Taken).expect("taken");
    assert_eq!(*poll.step(), Step::Read);
    assert_eq!(*poll.positions(), offsets(&[(0, 10), (1, 7)]));
    assert_eq!(poll.outcome().committed, offsets(&[(0, 10), (1, 9)]));
}

#[test]
fn what_is_to_be_given_up_is_committed_first_and_then_released_at_once() {
    let mut poll = Poll::new(&session(&[0, 1]), Intent::Read, &upto(&[(0, 10), (1, 7)]), None);

    poll.heard(member(4, &[0])).expect("a member");
    assert_eq!(*poll.step(), Step::AskCommitted(places(&[0, 1])));
    poll.committed_are(&Positions::new());
    assert_eq!(*poll.step(), Step::Commit { epoch: 4, offsets: offsets(&[(0, 10), (1, 7)]) });
    poll.commit_answered(CommitAnswer::Taken).expect("taken");
    assert_eq!(*poll.step(), beat(4, &[0]));
    poll.heard(member(5, &[0])).expect("a member");

    assert_eq!(*poll.step(), Step::Read);
    assert!(poll.has_lost());
    let outcome = poll.outcome();
    let assigned: Partitions = outcome.assigned.keys().copied().collect();
    assert_eq!((outcome.revoked, assigned), (places(&[1]), places(&[0])));
    assert_eq!(outcome.positions, offsets(&[(0, 10)]));
}

#[test]
fn a_fenced_member_joins_again_and_goes_on_from_what_is_committed() {
    let mut poll = Poll::new(&session(&[0, 1]), Intent::Read, &upto(&[(0, 10)]), Some(&upto(&[(0, 30)])));

    poll.heard(HeartbeatAnswer::Fenced).expect("comes back");
    assert_eq!(*poll.step(), beat(0, &[]));
    poll.heard(member(9, &[0, 2])).expect("a member");
    assert_eq!(*poll.step(), Step::AskCommitted(places(&[0, 2])));
    poll.committed_are(&offsets(&[(0, 20), (2, 1)]));

    assert_eq!(*poll.step(), Step::Read, "others committed more than is acknowledged");
    assert_eq!(*poll.positions(), offsets(&[(0, 20), (2, 1)]));
    assert_eq!(poll.outcome().revoked, places(&[0, 1]));
}

#[test]
fn a_cursor_does_not_count_where_a_partition_was_others_meanwhile() {
    let mut poll = Poll::new(&session(&[0]), Intent::Read, &upto(&[]), Some(&upto(&[(0, 5), (1, 40)])));

    poll.heard(member(5, &[0, 1])).expect("a member");
    poll.committed_are(&offsets(&[(1, 12)]));

    assert_eq!(*poll.positions(), offsets(&[(0, 5), (1, 12)]));
}

#[test]
fn the_end_where_a_session_begins_is_committed_before_anything_is_read() {
    let session = Session { start: StartAt::Latest, ..session(&[]) };
    let mut poll = Poll::new(&session, Intent::Read, &upto(&[]), None);

    poll.heard(member(5, &[0])).expect("a member");
    poll.committed_are(&Positions::new());
    poll.starts_are(&offsets(&[(0, 77)]));

    assert_eq!(*poll.step(), Step::Commit { epoch: 5, offsets: offsets(&[(0, 77)]) });
    poll.commit_answered(CommitAnswer::Taken).expect("taken");
    assert_eq!(*poll.step(), Step::Read);
    assert_eq!(poll.outcome().committed, Positions::new(), "nobody acknowledged that");
}

#[test]
fn a_partition_whose_start_cannot_be_found_is_left_for_the_next_look() {
    let mut poll = Poll::new(&session(&[]), Intent::Read, &upto(&[]), None);
    poll.heard(member(5, &[0, 1])).expect("a member");
    poll.committed_are(&offsets(&[(0, 3)]));

    poll.starts_are(&Positions::new());

    assert_eq!((poll.step(), poll.positions()), (&Step::Read, &offsets(&[(0, 3)])));
    poll.beat();
    poll.heard(member(5, &[0, 1])).expect("a member");
    assert_eq!(*poll.step(), Step::FindStarts(places(&[1])));
}

#[test]
fn a_commit_that_was_overtaken_begins_with_another_heartbeat_and_another_look() {
    let mut poll = Poll::new(&session(&[0]), Intent::Commit, &upto(&[(0, 10)]), None);
    poll.heard(member(4, &[0])).expect("a member");
    poll.committed_are(&Positions::new());

    poll.commit_answered(CommitAnswer::Stale).expect("tries again");

    assert_eq!(*poll.step(), beat(4, &[0]));
    poll.heard(member(6, &[0])).expect("a member");
    assert_eq!(*poll.step(), Step::AskCommitted(places(&[0])));
    poll.committed_are(&offsets(&[(0, 11)]));
    assert_eq!(*poll.step(), Step::Done, "never lower");
    assert_eq!(poll.outcome().committed, offsets(&[(0, 11)]));
}

#[test]
fn who_closes_commits_and_leaves_and_does_not_come_back() {
    let closing = |ack: &[(i32, i64)]| Poll::new(&session(&[0]), Intent::Close, &upto(ack), None);

    let mut poll = closing(&[(0, 10)]);
    poll.heard(member(4, &[0])).expect("a member");
    poll.committed_are(&Positions::new());
    poll.commit_answered(CommitAnswer::Taken).expect("taken");
    assert_eq!(*poll.step(), Step::Leave);

    let mut gone = closing(&[(0, 10)]);
    gone.heard(HeartbeatAnswer::Fenced).expect("is gone");
    assert_eq!(*gone.step(), Step::Done);
    assert_eq!(*closing(&[]).step(), Step::Leave);
}

#[test]
fn two_who_fence_each_other_are_told() {
    let mut poll = Poll::new(&session(&[0]), Intent::Read, &upto(&[]), None);

    let refusal =
        std::iter::repeat_with(|| poll.heard(HeartbeatAnswer::Fenced)).take(9).find_map(Result::err);

    assert_eq!(refusal, Some(PollError::Contended));
}

#[test]
fn what_a_token_does_not_carry_is_told_by_the_coordinator() {
    let session = Session { owned: None, ..session(&[]) };
    let mut poll = Poll::new(&session, Intent::Read, &upto(&[]), Some(&upto(&[(0, 5), (1, 6)])));

    assert_eq!(*poll.step(), beat(4, &[]));
    poll.heard(member(4, &[1, 2])).expect("a member");
    poll.committed_are(&offsets(&[(2, 8)]));

    assert_eq!(*poll.positions(), offsets(&[(1, 6), (2, 8)]));
    assert_eq!(poll.outcome().revoked, places(&[0]));
}

#[test]
fn what_was_read_before_a_loss_counts_neither_as_acknowledged_nor_as_read() {
    let tenures = [(at(0), 1), (at(1), 3)].into();
    let session = Session { owned: Some(tenures), tenure: 3, ..session(&[]) };
    let before = Progress { tenure: 2, positions: offsets(&[(0, 10), (1, 10), (2, 10)]) };
    let mut poll = Poll::new(&session, Intent::Read, &before, None);

    poll.heard(member(4, &[0, 1])).expect("a member");
    poll.committed_are(&offsets(&[(1, 4)]));

    assert_eq!(*poll.step(), Step::Commit { epoch: 4, offsets: offsets(&[(0, 10)]) });
    poll.commit_answered(CommitAnswer::Taken).expect("taken");
    assert_eq!(*poll.positions(), offsets(&[(0, 10), (1, 4)]));
    let outcome = poll.outcome();
    assert_eq!((outcome.tenure, outcome.assigned), (3, session.owned.expect("few")));
}

#[test]
fn every_change_of_what_is_owned_begins_a_tenure() {
    let mut poll = Poll::new(&session(&[0, 1]), Intent::Read, &upto(&[]), Some(&upto(&[(0, 1), (1, 1)])));

    poll.heard(member(5, &[0])).expect("a member");
    poll.heard(member(6, &[0, 2])).expect("a member");

    let outcome = poll.outcome();
    assert_eq!((outcome.tenure, outcome.assigned), (1, [(at(0), 0), (at(2), 1)].into()));
}

#[test]
fn a_client_that_keeps_its_first_token_is_understood_by_its_cursors() {
    let later = Progress { tenure: 2, positions: offsets(&[(0, 10)]) };
    let mut poll = Poll::new(&session(&[]), Intent::Read, &later, None);

    poll.heard(member(4, &[0])).expect("a member");
    poll.committed_are(&Positions::new());

    assert_eq!(*poll.step(), Step::Commit { epoch: 4, offsets: offsets(&[(0, 10)]) });
    poll.commit_answered(CommitAnswer::Taken).expect("taken");
    assert_eq!(*poll.positions(), offsets(&[(0, 10)]));
}
