//! What operators set for consumer groups, how changed topics reach them, and what bounds them.

use std::sync::Arc;

use aquifer_group::{
    Answer, ConsumerDescribed, ConsumerHeartbeat, GroupConfig, HeartbeatAnswer, Input, MemberId, Partitions,
    Refusal, Request, Settings,
};

use crate::cluster::{Cluster, name};
use crate::driver::{Driver, at_once};

const GROUP: &str = "group";

fn beat(member: &str, epoch: i32, topics: Option<&[&str]>) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        member: MemberId::new(member),
        epoch,
        instance: None,
        rack: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: if epoch == 0 { 20_000 } else { -1 },
        topics: topics.map(|topics| topics.iter().map(|topic| (*topic).into()).collect()),
        pattern: None,
        assignor: None,
        owned: (epoch == 0).then(Partitions::new),
        session_timeout_ms: None,
    }
}

fn ask(driver: &mut Driver, beat: ConsumerHeartbeat) -> Result<HeartbeatAnswer, Refusal> {
    match driver.ask(GROUP, Request::ConsumerHeartbeat(beat)) {
        Answer::ConsumerHeartbeat(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn described(driver: &mut Driver) -> ConsumerDescribed {
    match driver.ask(GROUP, Request::ConsumerDescribe) {
        Answer::ConsumerDescribe(Ok(described)) => described,
        other => panic!("{other:?}"),
    }
}

fn epochs(driver: &mut Driver) -> (i32, i32) {
    let described = described(driver);
    (described.epoch, described.assignment_epoch)
}

#[test]
fn one_target_is_computed_for_all_changes_of_an_interval_and_the_first_at_once() {
    let mut driver = Driver::new(Cluster::with(&[("t", 4)]), Settings::default());
    assert_eq!(ask(&mut driver, beat("a", 0, Some(&["t"]))).expect("joined").epoch, 1);

    for member in ["b", "c", "d"] {
        driver.advance(100);
        let waits = ask(&mut driver, beat(member, 0, Some(&["t"]))).expect("joined");
        assert_eq!((waits.epoch, waits.assignment), (1, Some(Partitions::new())), "no target for it yet");
    }
    assert_eq!(epochs(&mut driver), (4, 1));
    driver.advance(699);
    assert_eq!(epochs(&mut driver), (4, 1));
    driver.advance(1);

    assert_eq!(epochs(&mut driver), (4, 4));
    driver.restart();
    assert_eq!(epochs(&mut driver), (4, 4));
}

#[test]
fn a_change_that_waits_for_its_target_survives_a_restart() {
    let mut driver = Driver::new(Cluster::with(&[("t", 4)]), Settings::default());
    ask(&mut driver, beat("a", 0, Some(&["t"]))).expect("joined");
    ask(&mut driver, beat("b", 0, Some(&["t"]))).expect("joined");
    assert_eq!(epochs(&mut driver), (2, 1));

    driver.restart();
    driver.advance(1);

    assert_eq!(epochs(&mut driver), (2, 2));
}

#[test]
fn a_topic_that_is_given_up_is_taken_back_before_the_next_target() {
    let mut driver = Driver::new(Cluster::with(&[("t", 1), ("u", 1)]), Settings::default());
    let all = ask(&mut driver, beat("a", 0, Some(&["t", "u"]))).expect("joined").assignment.expect("all");
    let (kept, _) = driver.cluster.topics["t"];

    let less = ConsumerHeartbeat { owned: Some(all), ..beat("a", 1, Some(&["t"])) };
    let told = ask(&mut driver, less).expect("a heartbeat");

    assert_eq!(epochs(&mut driver), (2, 1));
    assert_eq!((told.epoch, told.assignment), (1, Some(Partitions::from([(kept, vec![0])]))));
}

#[test]
fn a_groups_own_config_wins() {
    let mut driver = Driver::new(Cluster::with(&[("t", 4)]), Settings::default());
    driver.cluster.config = GroupConfig {
        session_timeout_ms: Some(50_000),
        heartbeat_interval_ms: Some(7_000),
        assignment_interval_ms: Some(0),
    };
    assert_eq!(ask(&mut driver, beat("a", 0, Some(&["t"]))).expect("joined").heartbeat_interval_ms, 7_000);
    ask(&mut driver, beat("b", 0, Some(&["t"]))).expect("joined");
    assert_eq!(epochs(&mut driver), (2, 2));

    // Longer than all groups' session, and than the time to yield.
    driver.advance(15_000);
    ask(&mut driver, beat("a", 1, None)).expect("alive");
    ask(&mut driver, beat("b", 2, None)).expect("alive");
    let (id, _) = driver.cluster.topics["t"];
    let kept = described(&mut driver).members[0].target[0].2.clone();
    let gives_up = ConsumerHeartbeat { owned: Some(Partitions::from([(id, kept)])), ..beat("a", 1, None) };
    assert_eq!(ask(&mut driver, gives_up).expect("alive").epoch, 2);
    driver.advance(49_999);
    assert_eq!(described(&mut driver).members.len(), 2);
    driver.advance(1);
    assert_eq!(described(&mut driver).members.len(), 0);
}

#[test]
fn changed_topics_are_noticed_without_a_heartbeat_and_only_where_they_are_read() {
    let mut driver = Driver::new(Cluster::with(&[("t", 4), ("other", 1)]), at_once());
    ask(&mut driver, beat("a", 0, Some(&["t"]))).expect("joined");

    driver.cluster.grow("other");
    driver.handle(Input::TopicsChanged(vec![name("other")]));
    driver.advance(1);
    ask(&mut driver, beat("a", 1, None)).expect("alive");
    assert_eq!(epochs(&mut driver), (1, 1));
    driver.cluster.grow("t");
    driver.handle(Input::TopicsChanged(vec![name("t")]));
    driver.advance(1);

    assert_eq!(epochs(&mut driver), (2, 2));
    assert_eq!(described(&mut driver).members[0].target[0].2, [0, 1, 2, 3, 4]);
}

#[test]
fn a_new_topic_has_patterns_resolved_again() {
    let mut driver = Driver::new(Cluster::with(&[("t", 4)]), at_once());
    let pattern = ConsumerHeartbeat { pattern: Some("x-.*".into()), ..beat("a", 0, None) };
    ask(&mut driver, pattern).expect("joined");
    assert_eq!(driver.patterns.drain(..).count(), 1);

    driver.cluster.create("x-1", 1);
    driver.handle(Input::TopicsChanged(vec![name("x-1")]));
    driver.advance(1);

    assert_eq!(driver.patterns.drain(..).count(), 1);
}

#[test]
fn patterns_and_what_they_match_are_bounded() {
    let mut settings = at_once();
    settings.limits.patterns_max = 2;
    settings.limits.pattern_topics_max = 1;
    let mut driver = Driver::new(Cluster::with(&[("x-1", 1), ("x-2", 1)]), settings);
    let with = |member: &str, epoch: i32, pattern: &str| ConsumerHeartbeat {
        pattern: Some(pattern.into()),
        ..beat(member, epoch, None)
    };
    ask(&mut driver, with("a", 0, "x-.*")).expect("joined");
    ask(&mut driver, with("b", 0, "y-.*")).expect("joined");
    ask(&mut driver, with("c", 0, "y-.*")).expect("it is known");
    let refused = Err(Refusal::InvalidRequest("group uses too many patterns"));
    assert_eq!(ask(&mut driver, with("d", 0, "z-.*")), refused);
    assert_eq!(ask(&mut driver, with("a", 1, "z-.*")), refused);

    let topics: Vec<Arc<str>> = vec!["x-1".into(), "x-2".into()];
    let asked = driver.patterns.remove(0);
    let version = asked.version;
    driver.handle(Input::PatternResolved { group: asked.group, pattern: asked.pattern, topics, version });

    assert_eq!(described(&mut driver).members[0].target.len(), 1);
}

#[test]
fn a_member_that_moves_to_another_rack_is_assigned_what_is_near() {
    let mut driver = Driver::new(Cluster::with(&[("t", 6)]), at_once());
    ask(&mut driver, beat("a", 0, Some(&["t"]))).expect("joined");

    let moved = ConsumerHeartbeat { rack: Some("rack-b".into()), ..beat("a", 1, None) };
    ask(&mut driver, moved).expect("a heartbeat");

    assert_eq!(epochs(&mut driver), (2, 2));
}
