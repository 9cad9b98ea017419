//! Rules of the consumer protocol, one by one.

use std::sync::Arc;

use aquifer_group::{
    Answer, Commit, CommitPartition, ConsumerHeartbeat, HeartbeatAnswer, Input, InstanceId, Join, MemberId,
    Partitions, Refusal, Request, Settings,
};
use aquifer_types::Offset;

use crate::cluster::{Cluster, name};
use crate::driver::{Driver, at_once};

const GROUP: &str = "group";

fn driver() -> Driver {
    Driver::new(Cluster::with(&[("t", 4)]), at_once())
}

fn own(driver: &Driver, partitions: &[i32]) -> Partitions {
    let (id, _) = driver.cluster.topics["t"];
    if partitions.is_empty() { Partitions::new() } else { Partitions::from([(id, partitions.to_vec())]) }
}

fn beat(member: &str, epoch: i32, owned: Option<Partitions>) -> ConsumerHeartbeat {
    let joins = epoch == 0;
    ConsumerHeartbeat {
        member: MemberId::new(member),
        epoch,
        instance: None,
        rack: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: if joins { 20_000 } else { -1 },
        topics: joins.then(|| vec!["t".into()]),
        pattern: None,
        assignor: None,
        owned,
        session_timeout_ms: None,
    }
}

fn ask(driver: &mut Driver, beat: ConsumerHeartbeat) -> Result<HeartbeatAnswer, Refusal> {
    match driver.ask(GROUP, Request::ConsumerHeartbeat(beat)) {
        Answer::ConsumerHeartbeat(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn join(driver: &mut Driver, member: &str) -> HeartbeatAnswer {
    ask(driver, beat(member, 0, Some(Partitions::new()))).expect("joined")
}

fn commit(
    driver: &mut Driver,
    member: &str,
    epoch: i32,
    knows: bool,
) -> Result<Result<(), Refusal>, Refusal> {
    let part = |partition| CommitPartition {
        partition,
        offset: Offset(1),
        leader_epoch: -1,
        metadata: Box::default(),
    };
    let commit = Commit {
        member: MemberId::new(member),
        instance: None,
        generation: epoch,
        knows_epochs: knows,
        retention_ms: None,
        topics: vec![(name("t"), vec![part(0)])],
    };
    match driver.ask(GROUP, Request::Commit(commit)) {
        Answer::Commit(outcome) => outcome.map(|topics| topics[0].1[0].1.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn partitions_change_hands_only_once_they_are_given_up() {
    let mut driver = driver();
    let first = join(&mut driver, "a");
    assert_eq!((first.epoch, first.assignment), (1, Some(own(&driver, &[0, 1, 2, 3]))));

    let second = join(&mut driver, "b");
    assert_eq!((second.epoch, second.assignment), (2, Some(Partitions::new())), "nothing is free yet");

    let all = own(&driver, &[0, 1, 2, 3]);
    let asked = ask(&mut driver, beat("a", 1, Some(all))).expect("a heartbeat");
    let kept = asked.assignment.expect("less than before");
    assert_eq!((asked.epoch, kept.values().map(Vec::len).sum::<usize>()), (1, 2));
    let early = ask(&mut driver, beat("b", 2, Some(Partitions::new()))).expect("a heartbeat");
    assert_eq!(early.assignment, None, "a has not answered");
    assert_eq!(ask(&mut driver, beat("a", 1, None)).map(|answer| answer.epoch), Ok(1), "nor does silence");

    assert_eq!(ask(&mut driver, beat("a", 1, Some(kept))).expect("a heartbeat").epoch, 2);
    let got = ask(&mut driver, beat("b", 2, Some(Partitions::new()))).expect("a heartbeat").assignment;
    assert_eq!(got.expect("its share").values().map(Vec::len).sum::<usize>(), 2);
}

#[test]
fn epochs_of_the_past_and_the_future_are_fenced_but_a_lost_answer_is_forgiven() {
    let mut driver = driver();
    let epoch = join(&mut driver, "a").epoch;
    let all = own(&driver, &[0, 1, 2, 3]);

    assert_eq!(ask(&mut driver, beat("a", epoch + 1, None)), Err(Refusal::FencedEpoch));
    assert_eq!(ask(&mut driver, beat("x", epoch, None)), Err(Refusal::UnknownMember));
    driver.cluster.version += 1;
    driver.cluster.topics.get_mut("t").expect("there").1 = 5;
    let next = ask(&mut driver, beat("a", epoch, Some(all.clone()))).expect("a heartbeat").epoch;

    assert_eq!(next, epoch + 1);
    assert_eq!(ask(&mut driver, beat("a", epoch, None)), Err(Refusal::FencedEpoch));
    let foreign = own(&driver, &[9]);
    assert_eq!(ask(&mut driver, beat("a", epoch, Some(foreign))), Err(Refusal::FencedEpoch));
    assert_eq!(ask(&mut driver, beat("a", epoch, Some(all))).expect("forgiven").epoch, next);
}

#[test]
fn a_member_that_sleeps_long_does_not_hold_others_partitions() {
    let mut driver = driver();
    let sleeper = ConsumerHeartbeat {
        session_timeout_ms: Some(1_800_000),
        ..beat("sleeper", 0, Some(Partitions::new()))
    };
    assert_eq!(ask(&mut driver, sleeper).expect("joined").session_timeout_ms, Some(1_800_000));
    driver.advance(600_000);
    let epoch = join(&mut driver, "b").epoch;
    for _ in 0..3 {
        driver.advance(5_000);
        assert_eq!(
            ask(&mut driver, beat("b", epoch, Some(Partitions::new()))).expect("alive").assignment,
            None
        );
    }

    driver.advance(6_000);

    let got = ask(&mut driver, beat("b", epoch, Some(Partitions::new()))).expect("alive");
    assert_eq!(got.assignment, Some(own(&driver, &[0, 1, 2, 3])));
    assert_eq!(ask(&mut driver, beat("sleeper", 1, None)), Err(Refusal::UnknownMember));
}

#[test]
fn a_session_of_ones_own_survives_a_restart_and_others_end_as_always() {
    let mut driver = driver();
    let long = ConsumerHeartbeat { session_timeout_ms: Some(5), ..beat("a", 0, Some(Partitions::new())) };
    assert_eq!(
        ask(&mut driver, long).expect("joined").session_timeout_ms,
        Some(10_000),
        "the least there is"
    );
    driver.restart();

    driver.advance(9_999);
    let alive = ask(&mut driver, beat("a", 1, None));
    driver.advance(10_001);

    assert_eq!(alive.map(|answer| answer.session_timeout_ms), Ok(Some(10_000)));
    assert_eq!(ask(&mut driver, beat("a", 1, None)), Err(Refusal::UnknownMember));
}

#[test]
fn who_joins_again_without_asking_has_no_session_of_its_own() {
    let mut driver = driver();
    let long =
        ConsumerHeartbeat { session_timeout_ms: Some(60_000), ..beat("a", 0, Some(Partitions::new())) };
    assert_eq!(ask(&mut driver, long).expect("joined").session_timeout_ms, Some(60_000));
    assert_eq!(ask(&mut driver, beat("a", 1, None)).expect("alive").session_timeout_ms, Some(60_000));

    assert_eq!(join(&mut driver, "a").session_timeout_ms, None);
}

#[test]
fn a_static_member_keeps_its_place_while_it_is_away() {
    let mut driver = driver();
    let with = |member: &str, epoch: i32| ConsumerHeartbeat {
        instance: Some(InstanceId::new("i")),
        ..beat(member, epoch, (epoch == 0).then(Partitions::new))
    };
    let all = own(&driver, &[0, 1, 2, 3]);
    ask(&mut driver, with("old", 0)).expect("joined");
    assert_eq!(ask(&mut driver, with("new", 0)), Err(Refusal::UnreleasedInstance));

    assert_eq!(ask(&mut driver, with("old", -2)).map(|answer| answer.epoch), Ok(-2));
    let back = ask(&mut driver, with("new", 0)).expect("joined");

    assert_eq!((back.epoch, back.assignment), (1, Some(all)), "no new epoch");
    assert_eq!(ask(&mut driver, with("old", 1)), Err(Refusal::FencedInstance));
}

#[test]
fn commits_are_of_the_members_epoch_or_of_what_it_had_by_then() {
    let mut driver = driver();
    let epoch = join(&mut driver, "a").epoch;
    assert_eq!(commit(&mut driver, "a", epoch, true), Ok(Ok(())));
    assert_eq!(commit(&mut driver, "a", epoch, false), Err(Refusal::UnsupportedVersion));
    assert_eq!(commit(&mut driver, "a", epoch + 1, true), Err(Refusal::StaleEpoch));
    assert_eq!(commit(&mut driver, "x", epoch, true), Err(Refusal::UnknownMember));

    driver.cluster.version += 1;
    driver.cluster.topics.get_mut("t").expect("there").1 = 5;
    ask(&mut driver, beat("a", epoch, None)).expect("a heartbeat");

    assert_eq!(
        commit(&mut driver, "a", epoch, true),
        Ok(Ok(())),
        "it had that partition then and has it still"
    );
    assert_eq!(commit(&mut driver, "a", epoch - 1, true), Ok(Err(Refusal::StaleEpoch)));
}

#[test]
fn an_empty_group_changes_its_protocol_and_keeps_its_offsets() {
    let mut driver = driver();
    let epoch = join(&mut driver, "a").epoch;
    assert_eq!(commit(&mut driver, "a", epoch, true), Ok(Ok(())));
    let classic = Join {
        member: MemberId::new(""),
        instance: None,
        client_id: "c".into(),
        client_host: "h".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), Arc::from([1]))],
        needs_known_id: false,
        can_skip_assignment: false,
        fresh_id: MemberId::new("c-1"),
    };
    let refused = driver.ask(GROUP, Request::Join(classic.clone()));
    assert_eq!(refused, Answer::Join(Err(Refusal::InconsistentProtocol)));
    ask(&mut driver, beat("a", -1, None)).expect("left");

    let ticket = driver.send(GROUP, Request::Join(classic));
    driver.advance(3_000);

    assert!(matches!(driver.take(ticket), Some(Answer::Join(Ok(_)))));
    assert_eq!(
        driver.ask(GROUP, Request::ConsumerDescribe),
        Answer::ConsumerDescribe(Err(Refusal::GroupIdNotFound))
    );
    let fetch = aquifer_group::FetchOffsets { member: None, epoch: -1, topics: None };
    let Answer::FetchOffsets(Ok(kept)) = driver.ask(GROUP, Request::FetchOffsets(fetch)) else { panic!() };
    assert_eq!(kept[0].1[0].offset, Offset(1));
}

#[test]
fn a_pattern_is_resolved_outside_and_its_topics_are_shared_out() {
    // Though the group had a target just before, it was one that gave nobody anything.
    let mut driver = Driver::new(Cluster::with(&[("logs-1", 2), ("other", 2)]), Settings::default());
    let beat = |epoch: i32, owned: Option<Partitions>| {
        Request::ConsumerHeartbeat(ConsumerHeartbeat {
            member: MemberId::new("m"),
            epoch,
            instance: None,
            rack: None,
            client_id: "c".into(),
            client_host: "h".into(),
            rebalance_timeout_ms: if epoch == 0 { 10_000 } else { -1 },
            topics: None,
            pattern: (epoch == 0).then(|| "logs-.*".into()),
            assignor: None,
            owned,
            session_timeout_ms: None,
        })
    };
    driver.ask(GROUP, beat(0, Some(Partitions::new())));
    let asked = driver.patterns.pop().expect("asked to resolve");

    driver.handle(Input::PatternResolved {
        group: asked.group,
        pattern: asked.pattern,
        topics: vec!["logs-1".into()],
        version: asked.version,
    });
    let Answer::ConsumerHeartbeat(Ok(answer)) = driver.ask(GROUP, beat(1, Some(Partitions::new()))) else {
        panic!("refused")
    };

    let (id, _) = driver.cluster.topics["logs-1"];
    assert_eq!(answer.assignment, Some(Partitions::from([(id, vec![0, 1])])));
}

#[test]
fn an_answer_that_is_lost_twice_is_forgiven_twice() {
    let mut driver = driver();
    let all = own(&driver, &[0, 1, 2, 3]);
    join(&mut driver, "a");
    join(&mut driver, "b");
    let waits = beat("b", 2, Some(Partitions::new()));
    ask(&mut driver, waits.clone()).expect("nothing is free");
    let kept = ask(&mut driver, beat("a", 1, Some(all))).expect("asked").assignment.expect("less");
    ask(&mut driver, beat("c", 0, Some(Partitions::new()))).expect("joined");

    // b goes on to the third epoch, and hears of it only when it has said three times where it was.
    for _ in 0..3 {
        assert_eq!(ask(&mut driver, waits.clone()).map(|answer| answer.epoch), Ok(3));
    }
    ask(&mut driver, beat("a", 1, Some(kept))).expect("a heartbeat");
}

#[test]
fn a_word_of_the_past_gives_nothing_up() {
    let mut driver = driver();
    let all = own(&driver, &[0, 1, 2, 3]);
    join(&mut driver, "a");
    join(&mut driver, "b");
    let kept = ask(&mut driver, beat("a", 1, Some(all))).expect("asked").assignment.expect("less");
    ask(&mut driver, beat("a", 1, Some(kept.clone()))).expect("given up");
    let of_b =
        ask(&mut driver, beat("b", 2, Some(Partitions::new()))).expect("free").assignment.expect("two");
    // b leaves: a has everything again, in the third epoch.
    ask(&mut driver, beat("b", -1, None)).expect("left");
    assert_eq!(ask(&mut driver, beat("a", 2, Some(kept.clone()))).expect("all").epoch, 3);
    join(&mut driver, "c");

    // What a said before it got that arrives once more.
    ask(&mut driver, beat("a", 2, Some(kept.clone()))).expect("forgiven");

    let early = ask(&mut driver, beat("c", 4, Some(Partitions::new()))).expect("a heartbeat");
    assert_eq!(early.assignment.unwrap_or_default(), Partitions::new(), "a owns {of_b:?} still");
}

#[test]
fn what_was_asked_back_and_is_not_wanted_any_more_is_had_again_at_once() {
    let mut driver = driver();
    let all = own(&driver, &[0, 1, 2, 3]);
    join(&mut driver, "a");
    join(&mut driver, "b");
    let kept = ask(&mut driver, beat("a", 1, Some(all.clone()))).expect("asked").assignment.expect("less");
    ask(&mut driver, beat("b", -1, None)).expect("left");

    let again = ask(&mut driver, beat("a", 1, Some(kept))).expect("a heartbeat");

    assert_eq!((again.epoch, again.assignment), (3, Some(all)));
}

#[test]
fn what_a_member_took_over_long_ago_is_held_after_a_compaction() {
    let mut driver = driver();
    let all = own(&driver, &[0, 1, 2, 3]);
    join(&mut driver, "a");
    join(&mut driver, "b");
    let kept = ask(&mut driver, beat("a", 1, Some(all))).expect("asked").assignment.expect("less");
    ask(&mut driver, beat("a", 1, Some(kept.clone()))).expect("given up");
    let of_b =
        ask(&mut driver, beat("b", 2, Some(Partitions::new()))).expect("free").assignment.expect("two");
    driver.cluster.grow("t");
    ask(&mut driver, beat("a", 2, Some(kept))).expect("a heartbeat");

    // Of a's places the first one is left, where it held everything, and the last one.
    let is_place_of_a = |key: &[u8]| key[..2] == [0, 8] && key.ends_with(b"a");
    let places: Vec<usize> = (0..driver.log.len()).filter(|at| is_place_of_a(&driver.log[*at].0)).collect();
    driver.restart_by(|driver| {
        let mut thinned = aquifer_group::Loading::new();
        for (at, (key, value)) in driver.log.iter().enumerate() {
            if !places[1..places.len() - 1].contains(&at) {
                thinned.replay(Offset(at as i64), key, value.as_deref());
            }
        }
        thinned
    });
    let free = join(&mut driver, "c").assignment.expect("what is free");

    let (id, _) = driver.cluster.topics["t"];
    let free = free.get(&id).cloned().unwrap_or_default();
    assert!(free.iter().all(|partition| !of_b[&id].contains(partition)), "b owns {of_b:?}, c got {free:?}");
}

#[test]
fn a_place_without_a_member_leaves_no_ghost_behind() {
    let mut driver = driver();
    join(&mut driver, "a");
    ask(&mut driver, beat("a", -1, None)).expect("left");
    join(&mut driver, "b");
    let whole = driver.loaded();

    // Compaction took a's own records, its removal too; of its place both are there still.
    let of_member =
        |kind: u8, (key, _): &&(Vec<u8>, Option<Vec<u8>>)| !(key[..2] == [0, kind] && key.ends_with(b"a"));
    let mut thinned = aquifer_group::Loading::new();
    for (at, (key, value)) in driver.log.iter().filter(|record| of_member(5, record)).enumerate() {
        thinned.replay(Offset(at as i64), key, value.as_deref());
    }
    thinned.skip_to(whole.next());

    assert_eq!(thinned.checkpoint(), whole.checkpoint());
}

#[test]
fn a_place_is_found_again_though_its_members_record_lies_further_on() {
    let mut driver = driver();
    join(&mut driver, "a");
    let moved = ConsumerHeartbeat { client_host: "/127.0.0.2".into(), ..beat("a", 1, None) };
    ask(&mut driver, moved).expect("a heartbeat");
    let whole = driver.loaded();

    let first = driver.log.iter().position(|(key, _)| key[..2] == [0, 5]).expect("the member's record");
    let mut thinned = aquifer_group::Loading::new();
    for (at, (key, value)) in driver.log.iter().enumerate().filter(|(at, _)| *at != first) {
        thinned.replay(Offset(at as i64), key, value.as_deref());
    }

    assert_eq!(thinned.checkpoint(), whole.checkpoint());
}
