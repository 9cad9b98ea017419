//! Rules of the classic protocol, one by one.

use std::sync::Arc;

use aquifer_group::{
    Answer, Commit, CommitPartition, Heartbeat, InstanceId, Join, Joined, Leaver, MemberId, Refusal, Request,
    Settings, Sync, Ticket,
};
use aquifer_types::Offset;

use crate::cluster::{Cluster, name};
use crate::driver::Driver;

const GROUP: &str = "group";

fn driver() -> Driver {
    let settings = Settings { initial_rebalance_delay_ms: 0, ..Settings::default() };
    Driver::new(Cluster::with(&[("t", 4)]), settings)
}

fn join(member: &str) -> Join {
    Join {
        member: MemberId::new(member),
        instance: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), Arc::from([1]))],
        needs_known_id: false,
        can_skip_assignment: false,
        fresh_id: MemberId::new("drawn"),
    }
}

fn fresh(id: &str) -> Join {
    Join { fresh_id: MemberId::new(id), ..join("") }
}

fn fixed(instance: &str, id: &str) -> Join {
    Join { instance: Some(InstanceId::new(instance)), ..fresh(id) }
}

fn send_join(driver: &mut Driver, join: Join) -> Ticket {
    driver.send(GROUP, Request::Join(join))
}

fn joined(driver: &mut Driver, ticket: Ticket) -> Joined {
    match driver.take(ticket) {
        Some(Answer::Join(Ok(joined))) => joined,
        other => panic!("{other:?}"),
    }
}

fn refused_join(driver: &mut Driver, join: Join) -> Refusal {
    match driver.ask(GROUP, Request::Join(join)) {
        Answer::Join(Err(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn sync(member: &str, generation: i32, assignments: &[(&str, u8)]) -> Request {
    let assignments = assignments.iter().map(|(member, share)| (MemberId::new(member), Arc::from([*share])));
    Request::Sync(Sync {
        member: MemberId::new(member),
        instance: None,
        generation,
        protocol_type: None,
        protocol: None,
        assignments: assignments.collect(),
    })
}

fn beat(driver: &mut Driver, member: &str, generation: i32) -> Result<(), Refusal> {
    let beat = Heartbeat { member: MemberId::new(member), instance: None, generation };
    match driver.ask(GROUP, Request::Heartbeat(beat)) {
        Answer::Heartbeat(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn commit(driver: &mut Driver, member: &str, generation: i32) -> Result<(), Refusal> {
    let part =
        CommitPartition { partition: 0, offset: Offset(7), leader_epoch: -1, metadata: Box::default() };
    let commit = Commit {
        member: MemberId::new(member),
        instance: None,
        generation,
        knows_epochs: false,
        retention_ms: None,
        topics: vec![(name("t"), vec![part])],
    };
    match driver.ask(GROUP, Request::Commit(commit)) {
        Answer::Commit(outcome) => outcome.map(drop),
        other => panic!("{other:?}"),
    }
}

/// Two members, `a` leading, in a stable generation 1... or whichever came of their joining.
fn stable(driver: &mut Driver) -> i32 {
    let a = send_join(driver, fresh("a"));
    driver.advance(0);
    joined(driver, a);
    let b = send_join(driver, fresh("b"));
    let a = send_join(driver, join("a"));
    let generation = joined(driver, a).generation;
    assert_eq!(joined(driver, b).leader, MemberId::new("a"));
    let first = driver.send(GROUP, sync("b", generation, &[]));
    assert_eq!(driver.take(first), None, "an assignment before the leader gave one");
    driver.ask(GROUP, sync("a", generation, &[("a", 1), ("b", 2)]));
    assert!(matches!(driver.take(first), Some(Answer::Sync(Ok(synced))) if *synced.assignment == [2]));
    generation
}

#[test]
fn a_dynamic_member_of_a_new_client_is_told_its_id_first() {
    let mut driver = driver();

    let refusal = refused_join(&mut driver, Join { needs_known_id: true, ..fresh("m") });
    let ticket = send_join(&mut driver, Join { needs_known_id: true, ..join("m") });
    driver.advance(0);

    assert_eq!(refusal, Refusal::MemberIdRequired { member: MemberId::new("m") });
    assert_eq!(joined(&mut driver, ticket).member, MemberId::new("m"));
}

#[test]
fn ids_that_nobody_uses_are_bounded_and_expire() {
    let mut driver = driver();
    driver.settings.limits.pending_ids_max = 2;
    driver = Driver::new(driver.cluster.clone(), driver.settings.clone());
    for id in ["a", "b"] {
        refused_join(&mut driver, Join { needs_known_id: true, ..fresh(id) });
    }

    let third = refused_join(&mut driver, Join { needs_known_id: true, ..fresh("c") });
    driver.advance(10_001);

    assert_eq!(third, Refusal::Full);
    assert_eq!(driver.shard.group_count(), 0, "nothing is left of ids that expired");
    assert_eq!(refused_join(&mut driver, join("a")), Refusal::UnknownMember);
}

#[test]
fn the_first_rebalance_waits_for_more_members_and_no_longer_than_the_rebalance_timeout() {
    let settings = Settings { initial_rebalance_delay_ms: 3_000, ..Settings::default() };
    let mut driver = Driver::new(Cluster::with(&[("t", 4)]), settings);
    let a = send_join(&mut driver, fresh("a"));
    driver.advance(2_900);
    let b = send_join(&mut driver, fresh("b"));
    driver.advance(2_900);

    assert_eq!(driver.take(a), None, "the second one prolonged the wait");
    driver.advance(300);
    assert_eq!(joined(&mut driver, a).members.len(), 2);
    assert_eq!(joined(&mut driver, b).members, []);
}

#[test]
fn nothing_is_told_before_it_is_committed() {
    let mut driver = driver();
    let a = send_join(&mut driver, fresh("a"));
    driver.advance(0);
    let generation = joined(&mut driver, a).generation;
    driver.commits_at_once = false;

    let synced = driver.send(GROUP, sync("a", generation, &[("a", 1)]));
    let described = driver.send(GROUP, Request::Describe);

    assert_eq!((driver.take(synced), driver.take(described)), (None, None));
    driver.commit_all();
    assert!(matches!(driver.take(synced), Some(Answer::Sync(Ok(_)))));
    assert!(matches!(driver.take(described), Some(Answer::Describe(Ok(group))) if group.state == "Stable"));
}

#[test]
fn commits_and_heartbeats_follow_the_state() {
    let mut driver = driver();
    let generation = stable(&mut driver);
    assert_eq!(commit(&mut driver, "a", generation), Ok(()));
    assert_eq!(commit(&mut driver, "a", generation - 1), Err(Refusal::IllegalGeneration));
    assert_eq!(commit(&mut driver, "a", generation + 1), Err(Refusal::IllegalGeneration));
    assert_eq!(commit(&mut driver, "nobody", generation), Err(Refusal::UnknownMember));
    assert_eq!(commit(&mut driver, "", -1), Err(Refusal::UnknownMember));

    // Someone comes: the old generation may still commit.
    let c = send_join(&mut driver, fresh("c"));
    assert_eq!(beat(&mut driver, "a", generation), Err(Refusal::RebalanceInProgress));
    assert_eq!(commit(&mut driver, "a", generation), Ok(()));

    // All are there, and the leader has not assigned yet: alive, but nothing to commit.
    let a = send_join(&mut driver, join("a"));
    let b = send_join(&mut driver, join("b"));
    let next = joined(&mut driver, a).generation;
    assert_eq!([joined(&mut driver, b).generation, joined(&mut driver, c).generation], [next, next]);
    assert_eq!(beat(&mut driver, "a", next), Ok(()));
    assert_eq!(commit(&mut driver, "a", next), Err(Refusal::RebalanceInProgress));
}

#[test]
fn joining_again_unchanged_tells_the_generation_and_only_the_leader_rebalances() {
    let mut driver = driver();
    let generation = stable(&mut driver);

    let b = send_join(&mut driver, join("b"));
    assert_eq!(joined(&mut driver, b).generation, generation);
    assert_eq!(beat(&mut driver, "a", generation), Ok(()));

    let changed = Join { protocols: vec![("range".into(), Arc::from([9]))], ..join("b") };
    let b = send_join(&mut driver, changed);
    assert_eq!(driver.take(b), None);
    assert_eq!(beat(&mut driver, "a", generation), Err(Refusal::RebalanceInProgress));
}

#[test]
fn a_member_that_joins_and_never_syncs_is_out() {
    let mut driver = driver();
    let a = send_join(&mut driver, fresh("a"));
    driver.advance(0);
    joined(&mut driver, a);
    let b = send_join(&mut driver, fresh("b"));
    let a = send_join(&mut driver, join("a"));
    let generation = joined(&mut driver, a).generation;
    joined(&mut driver, b);
    driver.ask(GROUP, sync("a", generation, &[("a", 1)]));

    for _ in 0..12 {
        driver.advance(5_000);
        let alive = beat(&mut driver, "b", generation);
        if alive != Ok(()) {
            break;
        }
        let _ = beat(&mut driver, "a", generation);
    }

    assert_eq!(beat(&mut driver, "b", generation), Err(Refusal::UnknownMember));
}

#[test]
fn a_silent_member_is_out_and_a_waiting_one_is_not() {
    let mut driver = driver();
    let generation = stable(&mut driver);
    let a = send_join(&mut driver, join("a"));
    driver.advance(9_000);
    assert_eq!(driver.take(a), None, "it waits for b");

    driver.advance(1_500);

    assert_eq!(joined(&mut driver, a).generation, generation + 1, "b was silent");
    assert_eq!(beat(&mut driver, "b", generation), Err(Refusal::UnknownMember));
}

#[test]
fn a_static_member_comes_back_without_a_rebalance_and_fences_the_one_before() {
    let mut driver = driver();
    let a = send_join(&mut driver, fixed("i", "old"));
    driver.advance(0);
    let generation = joined(&mut driver, a).generation;
    driver.ask(GROUP, sync("old", generation, &[("old", 5)]));

    let skips = Join { can_skip_assignment: true, ..fixed("i", "new") };
    let back = send_join(&mut driver, skips);
    let back = joined(&mut driver, back);

    assert_eq!((back.generation, back.skip_assignment), (generation, true));
    assert_eq!((back.leader, back.members.len()), (MemberId::new("new"), 1));
    let fenced = Heartbeat { member: MemberId::new("old"), instance: Some(InstanceId::new("i")), generation };
    assert_eq!(
        driver.ask(GROUP, Request::Heartbeat(fenced)),
        Answer::Heartbeat(Err(Refusal::FencedInstance))
    );
    driver.restart();
    let Answer::Sync(Ok(synced)) = driver.ask(GROUP, sync("new", generation, &[])) else {
        panic!("the replacement is not stored")
    };
    assert_eq!(*synced.assignment, [5]);
}

#[test]
fn a_leader_too_old_to_skip_is_told_that_the_one_before_leads() {
    let mut driver = driver();
    let a = send_join(&mut driver, fixed("i", "old"));
    driver.advance(0);
    let generation = joined(&mut driver, a).generation;
    driver.ask(GROUP, sync("old", generation, &[("old", 5)]));

    let back = send_join(&mut driver, fixed("i", "new"));

    let back = joined(&mut driver, back);
    assert_eq!((back.leader, back.members.len()), (MemberId::new("old"), 0));
}

#[test]
fn a_replaced_static_members_waiting_calls_are_fenced() {
    let mut driver = driver();
    stable(&mut driver);
    let waiting = send_join(&mut driver, fixed("i", "old"));
    assert_eq!(driver.take(waiting), None);

    send_join(&mut driver, fixed("i", "new"));

    assert_eq!(driver.take(waiting), Some(Answer::Join(Err(Refusal::FencedInstance))));
}

#[test]
fn a_batch_leaves_and_each_hears_for_itself() {
    let mut driver = driver();
    stable(&mut driver);
    let leaver = |member: &str, instance: Option<&str>| Leaver {
        member: MemberId::new(member),
        instance: instance.map(InstanceId::new),
    };

    let leavers = vec![leaver("a", None), leaver("x", None), leaver("", Some("i")), leaver("b", None)];
    let Answer::Leave(left) = driver.ask(GROUP, Request::Leave(leavers)) else { panic!("no answer") };

    let outcomes: Vec<_> = left.into_iter().map(|left| left.outcome).collect();
    let unknown = Err(Refusal::UnknownMember);
    assert_eq!(outcomes, [Ok(()), unknown.clone(), unknown, Ok(())]);
    assert!(
        matches!(driver.ask(GROUP, Request::Describe), Answer::Describe(Ok(group)) if group.state == "Empty")
    );
}

#[test]
fn protocols_must_fit_and_the_one_most_like_best_is_chosen() {
    let mut driver = driver();
    let both = |id: &str, first: &str, second: &str| Join {
        protocols: vec![(first.into(), Arc::from([1])), (second.into(), Arc::from([2]))],
        ..fresh(id)
    };
    let a = send_join(&mut driver, both("a", "range", "sticky"));
    assert_eq!(joined(&mut driver, a).protocol.as_deref(), Some("range"));
    let b = send_join(&mut driver, both("b", "sticky", "range"));
    let c = send_join(&mut driver, both("c", "sticky", "range"));
    send_join(&mut driver, Join { member: MemberId::new("a"), ..both("a", "range", "sticky") });
    for ticket in [b, c] {
        assert_eq!(joined(&mut driver, ticket).protocol.as_deref(), Some("sticky"));
    }

    let odd = Join { protocols: vec![("other".into(), Arc::from([1]))], ..fresh("d") };
    assert_eq!(refused_join(&mut driver, odd), Refusal::InconsistentProtocol);
    let connect = Join { protocol_type: "connect".into(), ..fresh("e") };
    assert_eq!(refused_join(&mut driver, connect), Refusal::InconsistentProtocol);
}

#[test]
fn sessions_outside_the_bounds_and_groups_that_are_full_are_refused() {
    let mut driver = driver();
    let short = Join { session_timeout_ms: 5_999, ..fresh("a") };
    assert_eq!(refused_join(&mut driver, short), Refusal::InvalidSessionTimeout);
    driver.settings.classic_size_max = 2;
    driver = Driver::new(driver.cluster.clone(), driver.settings.clone());
    stable(&mut driver);

    assert_eq!(refused_join(&mut driver, fresh("c")), Refusal::GroupMaxSize);
}
