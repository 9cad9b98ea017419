//! Groups on their way from one protocol to the other.

use std::sync::Arc;

use aquifer_group::{
    Answer, Commit, CommitPartition, ConsumerDescribed, ConsumerHeartbeat, Heartbeat, HeartbeatAnswer,
    InstanceId, Join, Joined, Leaver, MemberId, Migration, Partitions, Refusal, Request, Settings, Sync,
};
use aquifer_types::Offset;

use crate::cluster::{Cluster, name};
use crate::driver::{Driver, at_once};
use crate::embedded::{Named, assignment, read_assignment, subscription};
use crate::golden::embedded;

const GROUP: &str = "group";

fn settings() -> Settings {
    Settings { initial_rebalance_delay_ms: 0, ..at_once() }
}

fn named(partitions: &[i32]) -> Named {
    partitions.iter().map(|partition| ("t".to_owned(), *partition)).collect()
}

fn classic(member: &str, owned: &[i32]) -> Join {
    Join {
        member: MemberId::new(member),
        instance: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 20_000,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), subscription(&["t".into()], &named(owned)))],
        needs_known_id: false,
        can_skip_assignment: false,
        fresh_id: MemberId::new("fresh"),
    }
}

fn join(driver: &mut Driver, join: Join) -> Result<Joined, Refusal> {
    match driver.ask(GROUP, Request::Join(join)) {
        Answer::Join(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn sync(driver: &mut Driver, member: &str, generation: i32) -> Result<Named, Refusal> {
    let sync = Sync {
        member: MemberId::new(member),
        instance: None,
        generation,
        protocol_type: None,
        protocol: None,
        assignments: Vec::new(),
    };
    match driver.ask(GROUP, Request::Sync(sync)) {
        Answer::Sync(outcome) => outcome.map(|synced| read_assignment(&synced.assignment)),
        other => panic!("{other:?}"),
    }
}

fn beat(driver: &mut Driver, member: &str, generation: i32) -> Result<(), Refusal> {
    let beat = Heartbeat { member: MemberId::new(member), instance: None, generation };
    match driver.ask(GROUP, Request::Heartbeat(beat)) {
        Answer::Heartbeat(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn modern(member: &str, epoch: i32, owned: Option<Partitions>) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        member: MemberId::new(member),
        epoch,
        instance: None,
        rack: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: if epoch == 0 { 20_000 } else { -1 },
        topics: (epoch == 0).then(|| vec!["t".into()]),
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

fn described(driver: &mut Driver) -> ConsumerDescribed {
    match driver.ask(GROUP, Request::ConsumerDescribe) {
        Answer::ConsumerDescribe(Ok(described)) => described,
        other => panic!("{other:?}"),
    }
}

/// A classic group whose one member `old` owns all four partitions in generation 1.
fn classic_group(settings: Settings) -> Driver {
    let mut driver = Driver::new(Cluster::with(&[("t", 4)]), settings);
    let first = Join { fresh_id: MemberId::new("old"), ..classic("", &[]) };
    assert_eq!(join(&mut driver, first).expect("joined").generation, 1);
    let all = assignment(&named(&[0, 1, 2, 3]));
    let leads = Sync {
        member: MemberId::new("old"),
        instance: None,
        generation: 1,
        protocol_type: None,
        protocol: None,
        assignments: vec![(MemberId::new("old"), all)],
    };
    assert!(matches!(driver.ask(GROUP, Request::Sync(leads)), Answer::Sync(Ok(_))));
    driver
}

/// Also `new` of the consumer protocol, and both at rest with two partitions each in epoch 2.
fn mixed_group(settings: Settings) -> Driver {
    let mut driver = classic_group(settings);
    let came = ask(&mut driver, modern("new", 0, Some(Partitions::new()))).expect("joined");
    assert_eq!((came.epoch, came.assignment), (2, Some(Partitions::new())), "all is held yet");
    assert_eq!(beat(&mut driver, "old", 1), Err(Refusal::RebalanceInProgress));
    let asked = join(&mut driver, classic("old", &[0, 1, 2, 3])).expect("joined");
    assert_eq!((asked.generation, asked.leader.as_str(), asked.protocol.as_deref()), (1, "", Some("range")));
    let kept = sync(&mut driver, "old", 1).expect("synced");
    assert_eq!(kept.len(), 2);
    assert_eq!(
        beat(&mut driver, "old", 1),
        Err(Refusal::RebalanceInProgress),
        "until it has given up the rest"
    );
    let kept: Vec<i32> = kept.into_iter().map(|(_, partition)| partition).collect();
    assert_eq!(join(&mut driver, classic("old", &kept)).expect("joined").generation, 2);
    assert_eq!(sync(&mut driver, "old", 2), Ok(named(&kept)));
    assert_eq!(beat(&mut driver, "old", 2), Ok(()));
    let got = ask(&mut driver, modern("new", 2, Some(Partitions::new()))).expect("a heartbeat").assignment;
    assert_eq!(got.expect("its share").values().map(Vec::len).sum::<usize>(), 2);
    driver
}

#[test]
fn a_classic_group_takes_a_member_of_the_consumer_protocol_in_and_its_members_follow_one_by_one() {
    let mut driver = mixed_group(settings());

    let group = described(&mut driver);
    assert_eq!((group.state, group.epoch, group.members.len()), ("Stable", 2, 2));
    assert!(group.members.iter().any(|member| member.id.as_str() == "old" && member.said.classic.is_some()));
    driver.restart();
    assert_eq!(described(&mut driver), group);
    assert_eq!(beat(&mut driver, "old", 2), Ok(()));
}

#[test]
fn a_group_does_not_go_over_where_that_is_switched_off_or_its_members_are_no_consumers() {
    let mut off = settings();
    off.consumer.migration = Migration::Downgrade;
    let mut driver = classic_group(off);
    assert_eq!(ask(&mut driver, modern("new", 0, Some(Partitions::new()))), Err(Refusal::GroupIdNotFound));
    assert_eq!(beat(&mut driver, "old", 1), Ok(()), "nothing has changed");

    let mut driver = Driver::new(Cluster::with(&[("t", 4)]), settings());
    let connect = Join { protocol_type: "connect".into(), ..classic("", &[]) };
    join(&mut driver, connect).expect("joined");
    assert_eq!(ask(&mut driver, modern("new", 0, Some(Partitions::new()))), Err(Refusal::GroupIdNotFound));
}

#[test]
fn a_group_in_which_only_classic_members_are_left_is_classic_again() {
    for restarts in [false, true] {
        let mut driver = mixed_group(settings());

        ask(&mut driver, modern("new", -1, None)).expect("left");
        if restarts {
            driver.restart();
        }

        assert_eq!(
            driver.ask(GROUP, Request::ConsumerDescribe),
            Answer::ConsumerDescribe(Err(Refusal::GroupIdNotFound))
        );
        assert_eq!(beat(&mut driver, "old", 2), Err(Refusal::RebalanceInProgress));
        let again = join(&mut driver, classic("old", &[])).expect("joined");
        assert_eq!((again.generation, again.leader.as_str(), again.members.len()), (3, "old", 1));
    }
}

#[test]
fn a_group_stays_a_consumer_group_where_going_back_is_switched_off() {
    let mut off = settings();
    off.consumer.migration = Migration::Upgrade;
    let mut driver = mixed_group(off);

    ask(&mut driver, modern("new", -1, None)).expect("left");

    assert_eq!(described(&mut driver).members.len(), 1);
    assert_eq!(beat(&mut driver, "old", 2), Err(Refusal::RebalanceInProgress));
    let kept: Vec<i32> = sync(&mut driver, "old", 2).expect("synced").into_iter().map(|(_, at)| at).collect();
    assert_eq!(join(&mut driver, classic("old", &kept)).expect("joined").generation, 3);
    assert_eq!(sync(&mut driver, "old", 3), Ok(named(&[0, 1, 2, 3])));
}

#[test]
fn a_classic_member_may_join_a_consumer_group() {
    let mut driver = Driver::new(Cluster::with(&[("t", 4)]), settings());
    ask(&mut driver, modern("new", 0, Some(Partitions::new()))).expect("joined");
    let told = join(&mut driver, Join { needs_known_id: true, ..classic("", &[]) });
    assert_eq!(told, Err(Refusal::MemberIdRequired { member: MemberId::new("fresh") }));

    let joined = join(&mut driver, classic("fresh", &[])).expect("joined");

    assert_eq!((joined.generation, sync(&mut driver, "fresh", 2)), (2, Ok(Named::new())));
    assert_eq!(beat(&mut driver, "fresh", 2), Ok(()), "what it waits for is not free");
    let (id, _) = driver.cluster.topics["t"];
    let kept = ask(&mut driver, modern("new", 1, Some(Partitions::from([(id, vec![0, 1, 2, 3])]))));
    let kept = kept.expect("a heartbeat").assignment.expect("less than before");
    ask(&mut driver, modern("new", 1, Some(kept))).expect("given up");
    assert_eq!(beat(&mut driver, "fresh", 2), Err(Refusal::RebalanceInProgress), "now it is");
    assert_eq!(join(&mut driver, classic("fresh", &[])).expect("joined").generation, 2);
    assert_eq!(sync(&mut driver, "fresh", 2).expect("synced").len(), 2);
}

#[test]
fn guests_are_told_what_classic_members_are_told() {
    let mut driver = mixed_group(settings());
    assert_eq!(beat(&mut driver, "old", 1), Err(Refusal::IllegalGeneration));
    assert_eq!(beat(&mut driver, "new", 2), Err(Refusal::UnknownMember), "it speaks the other protocol");
    assert_eq!(sync(&mut driver, "old", 3), Err(Refusal::IllegalGeneration));
    assert_eq!(ask(&mut driver, modern("old", 2, None)), Err(Refusal::UnknownMember));
    let connect = Join { protocol_type: "connect".into(), ..classic("", &[]) };
    assert_eq!(join(&mut driver, connect), Err(Refusal::InconsistentProtocol));
    let other = Join { protocols: vec![("sticky".into(), Arc::from([0, 0, 0]))], ..classic("", &[]) };
    assert_eq!(join(&mut driver, other), Err(Refusal::InconsistentProtocol));
    let zombie = join(&mut driver, classic("removed", &[0]));
    assert_eq!(zombie, Err(Refusal::UnknownMember), "it goes on with what others have");

    let mut commit = |member: &str, generation: i32| {
        let part = CommitPartition { partition: 0, offset: Offset(7), leader_epoch: -1, metadata: "".into() };
        let commit = Commit {
            member: MemberId::new(member),
            instance: None,
            generation,
            knows_epochs: false,
            retention_ms: None,
            topics: vec![(name("t"), vec![part])],
        };
        match driver.ask(GROUP, Request::Commit(commit)) {
            Answer::Commit(outcome) => outcome.map(|topics| topics[0].1[0].1.clone()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(commit("old", 2), Ok(Ok(())));
    assert_eq!(commit("old", 1), Err(Refusal::IllegalGeneration));
    assert_eq!(commit("new", 2), Err(Refusal::UnsupportedVersion));
}

#[test]
fn a_guest_syncs_under_any_protocol_it_speaks_and_no_other() {
    let mut driver = mixed_group(settings());
    let metadata = subscription(&["t".into()], &Named::new());
    let two = vec![("range".into(), metadata.clone()), ("sticky".into(), metadata)];
    let joined = join(&mut driver, Join { protocols: two, ..classic("old", &[]) }).expect("joined");
    let mut sync = |protocol: &str| {
        let sync = Sync {
            member: MemberId::new("old"),
            instance: None,
            generation: joined.generation,
            protocol_type: Some("consumer".into()),
            protocol: Some(protocol.into()),
            assignments: Vec::new(),
        };
        match driver.ask(GROUP, Request::Sync(sync)) {
            Answer::Sync(outcome) => outcome.map(|synced| synced.protocol),
            other => panic!("{other:?}"),
        }
    };

    assert_eq!(sync("sticky"), Ok(Some("sticky".into())));
    assert_eq!(sync("range"), Ok(Some("range".into())));
    assert_eq!(sync("other"), Err(Refusal::InconsistentProtocol));
}

#[test]
fn a_guest_that_does_not_join_again_or_never_asks_for_its_assignment_is_out() {
    let silent = |driver: &mut Driver| {
        for _ in 0..5 {
            driver.advance(5_000);
            let _told = beat(driver, "old", 2);
            let epoch = described(driver)
                .members
                .iter()
                .find(|member| member.id.as_str() == "new")
                .map_or(0, |new| new.epoch);
            ask(driver, modern("new", epoch, None)).expect("alive");
        }
        described(driver).members.len()
    };
    let mut driver = mixed_group(settings());
    driver.cluster.version += 1;
    driver.cluster.topics.get_mut("t").expect("there").1 = 5;
    assert_eq!(silent(&mut driver), 1, "it was told to join again");

    let mut driver = mixed_group(settings());
    join(&mut driver, classic("old", &[0, 1])).expect("joined");
    assert_eq!(silent(&mut driver), 1, "it joined and never synced");

    let mut driver = mixed_group(settings());
    assert_eq!(silent(&mut driver), 2, "it owes nothing");
}

#[test]
fn static_members_change_protocols_under_their_instance() {
    let mut driver = Driver::new(Cluster::with(&[("t", 4)]), settings());
    let instance = Some(InstanceId::new("i"));
    let first = Join { instance: instance.clone(), fresh_id: MemberId::new("old"), ..classic("", &[]) };
    join(&mut driver, first).expect("joined");
    let upgraded =
        ConsumerHeartbeat { instance: instance.clone(), ..modern("new", 0, Some(Partitions::new())) };
    // Nobody but itself was a member, and it had no assignment yet.
    ask(&mut driver, upgraded).expect("joined");
    let group = described(&mut driver);
    assert_eq!(group.members.iter().map(|member| member.id.as_str()).collect::<Vec<_>>(), ["new"]);

    let back = Join { instance: instance.clone(), fresh_id: MemberId::new("back"), ..classic("", &[]) };
    join(&mut driver, back).expect("joined");
    let fenced = ConsumerHeartbeat { instance, ..modern("new", group.epoch, None) };
    assert_eq!(
        ask(&mut driver, fenced),
        Err(Refusal::GroupIdNotFound),
        "the group went back with its member"
    );
    let Answer::Describe(Ok(classic)) = driver.ask(GROUP, Request::Describe) else { panic!("no group") };
    assert_eq!(classic.members[0].id.as_str(), "back");
}

#[test]
fn an_administrator_removes_members_by_instance_or_id_whatever_they_speak() {
    let mut driver = Driver::new(Cluster::with(&[("t", 4)]), settings());
    let with = |member: &str, instance: &str| ConsumerHeartbeat {
        instance: Some(InstanceId::new(instance)),
        ..modern(member, 0, Some(Partitions::new()))
    };
    ask(&mut driver, with("a", "i")).expect("joined");
    ask(&mut driver, modern("b", 0, Some(Partitions::new()))).expect("joined");
    let leaver = |member: &str, instance: Option<&str>| Leaver {
        member: MemberId::new(member),
        instance: instance.map(InstanceId::new),
    };
    let leavers = vec![
        leaver("", Some("i")),
        leaver("", Some("none")),
        leaver("b", None),
        leaver("c", None),
        leaver("b", Some("i")),
    ];

    let Answer::Leave(left) = driver.ask(GROUP, Request::Leave(leavers)) else { panic!("no answer") };

    let outcomes: Vec<_> = left.into_iter().map(|left| left.outcome).collect();
    let unknown = Err(Refusal::UnknownMember);
    assert_eq!(outcomes, [Ok(()), unknown.clone(), Ok(()), unknown, Err(Refusal::FencedInstance)]);
    assert_eq!(described(&mut driver).state, "Empty");
}

#[test]
fn a_guest_has_the_session_it_asked_for() {
    let mut driver = mixed_group(settings());
    driver.advance(9_999);
    assert_eq!(described(&mut driver).members.len(), 2);
    driver.advance(1);
    assert_eq!(described(&mut driver).members.len(), 1, "it asked for 10 s");
}

#[test]
fn who_waits_in_a_classic_group_is_let_go_when_it_goes_over() {
    let mut driver = classic_group(settings());
    let waiting =
        driver.send(GROUP, Request::Join(Join { fresh_id: MemberId::new("second"), ..classic("", &[]) }));
    assert_eq!(driver.take(waiting), None, "the first one is awaited");

    ask(&mut driver, modern("new", 0, Some(Partitions::new()))).expect("joined");

    assert_eq!(driver.take(waiting), Some(Answer::Join(Err(Refusal::RebalanceInProgress))));
    let members: Vec<String> =
        described(&mut driver).members.iter().map(|member| member.id.to_string()).collect();
    assert_eq!(members, ["new", "old"], "the second had no place yet");
}

#[test]
fn what_a_member_had_before_its_last_assignment_is_not_given_to_others() {
    let mut driver = classic_group(settings());
    // It joins again with all it has, is assigned half of it, and never hears of that.
    let again = driver.send(GROUP, Request::Join(classic("old", &[0, 1, 2, 3])));
    assert!(matches!(driver.take(again), Some(Answer::Join(Ok(_)))));
    let leads = Sync {
        member: MemberId::new("old"),
        instance: None,
        generation: 2,
        protocol_type: None,
        protocol: None,
        assignments: vec![(MemberId::new("old"), assignment(&named(&[0, 1])))],
    };
    driver.send(GROUP, Request::Sync(leads));

    let came = ask(&mut driver, modern("new", 0, Some(Partitions::new()))).expect("joined");

    assert_eq!((came.epoch, came.assignment), (3, Some(Partitions::new())), "old has it still");
    join(&mut driver, classic("old", &[0, 1])).expect("joined");
    let got = ask(&mut driver, modern("new", 3, Some(Partitions::new()))).expect("a heartbeat").assignment;
    assert_eq!(got.expect("its share").values().map(Vec::len).sum::<usize>(), 2);
}

#[test]
fn a_guest_that_has_not_heard_of_what_others_got_must_lose_it_first() {
    let mut driver = mixed_group(settings());
    let of_new = described(&mut driver)
        .members
        .iter()
        .find(|member| member.id.as_str() == "new")
        .map(|new| new.assigned[0].2[0]);

    let stale = join(&mut driver, classic("old", &[of_new.expect("a partition")]));

    assert_eq!(stale, Err(Refusal::UnknownMember));
    assert_eq!(described(&mut driver).members.len(), 1);
}

#[test]
fn guests_are_understood_and_answered_in_kafkas_bytes_of_their_version() {
    for (version, said, assigned) in embedded() {
        let mut driver = Driver::new(Cluster::with(&[("t", 3), ("u", 0)]), settings());
        ask(&mut driver, modern("new", 0, Some(Partitions::new()))).expect("joined");
        let (id, _) = driver.cluster.topics["t"];
        let guest = |member: &str, said: &[u8]| Join {
            protocols: vec![("range".into(), said.into())],
            ..classic(member, &[])
        };
        // It may claim to own something only once it is known.
        let nothing = subscription(&["t".into(), "u".into()], &Named::new());
        let joined = join(&mut driver, guest("", &nothing)).expect("joined");
        let few = ConsumerHeartbeat { owned: Some(Partitions::new()), ..modern("new", -1, None) };
        ask(&mut driver, few).expect("left");
        // The group has gone back; the next member of the consumer protocol finds what the leader assigned.
        assert_eq!(beat(&mut driver, "fresh", joined.generation), Err(Refusal::RebalanceInProgress));
        let again = join(&mut driver, guest("fresh", &said)).expect("joined");
        let leads = Sync {
            member: MemberId::new("fresh"),
            instance: None,
            generation: again.generation,
            protocol_type: None,
            protocol: None,
            assignments: vec![(MemberId::new("fresh"), assigned.clone().into())],
        };
        assert!(matches!(driver.ask(GROUP, Request::Sync(leads)), Answer::Sync(Ok(_))));
        ask(&mut driver, modern("new", 0, Some(Partitions::new()))).expect("joined");

        let group = described(&mut driver);
        let old = group.members.iter().find(|member| member.id.as_str() == "fresh").expect("the guest");
        assert_eq!((old.assigned[0].0, &old.assigned[0].2), (id, &vec![0, 2]), "version {version}");
        assert_eq!(old.said.topics, ["t".into(), "u".into()]);
        assert_eq!(old.said.rack.as_deref(), (version >= 3).then_some("rack-b"));
        let sync = Sync {
            member: MemberId::new("fresh"),
            instance: None,
            generation: again.generation,
            protocol_type: None,
            protocol: None,
            assignments: Vec::new(),
        };
        let Answer::Sync(Ok(synced)) = driver.ask(GROUP, Request::Sync(sync)) else { panic!("refused") };
        assert_eq!(&synced.assignment[..], assigned, "version {version}");
    }
}
