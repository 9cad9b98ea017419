//! Groups over a real log: what is answered is kept, through power cuts, full disks and changes of the lead.

mod node;

use aquifer_coordinator::Unavailable;
use aquifer_disk::{CrashChoice, Disk};
use aquifer_group::{Answer, GroupId, ListFilter, Request};
use aquifer_hotlog::format::Layout;
use futures_util::FutureExt as _;

use crate::node::{ID, Node, commit, disk, join_by_pattern, on_simulated_time};

#[test]
fn an_acknowledged_commit_survives_any_power_cut() {
    for seed in 0..60 {
        let mut disk = disk();
        let mut acknowledged = [-1; 3];
        for life in 0..4u64 {
            on_simulated_time(async {
                let node = Node::start(&disk, seed * 10 + life + 1);
                for (partition, acknowledged) in (0..).zip(&acknowledged) {
                    assert!(node.committed(partition).await >= *acknowledged, "seed {seed}, life {life}");
                }
                disk.lose_power_after(20 + seed * 7 % 90);
                for round in 0..40 {
                    let partition = round % 3;
                    let at = usize::try_from(partition).unwrap();
                    let offset = acknowledged[at] + 1 + i64::from(round);
                    match node.runtime.timeout(LONG, node.commit(partition, offset)).await {
                        Some(Ok(())) => acknowledged[at] = offset,
                        _ => break,
                    }
                }
            });
            disk = disk.crash(&mut CrashChoice::seeded(seed * 10 + life));
        }
        assert!(acknowledged.iter().any(|offset| *offset >= 0), "seed {seed}: something was acknowledged");
    }
}

const LONG: std::time::Duration = std::time::Duration::from_secs(30);

#[test]
fn a_load_begins_at_the_checkpoint_and_does_without_one() {
    let disk = disk();
    let folder = Layout::new("/data").groups();
    on_simulated_time(async {
        let node = Node::start(&disk, 1);
        for offset in 0..300 {
            node.commit(3, offset).await.unwrap();
        }
        node.pause(100).await;
        assert!(node.checkpoints() >= 2);
        node.close().await;
    });
    let log_bytes = on_simulated_time(async {
        let node = Node::start(&disk, 2);
        assert_eq!(node.committed(3).await, 299);
        assert!(node.loaded_bytes() < 12_000, "{} bytes were read", node.loaded_bytes());
        let log_bytes = node.replica.describe().bytes;
        assert!(log_bytes > 25_000);
        node.close().await;
        log_bytes
    });
    let file = folder.join(format!("{}-{}", ID.topic, ID.partition));
    for (seed, at) in (3..).zip([9, 30, 40, 60]) {
        disk.flip_bit(&file, at);
        on_simulated_time(async {
            let node = Node::start(&disk, seed);
            assert_eq!(node.committed(3).await, 299);
            assert_eq!(node.loaded_bytes(), log_bytes, "a damaged checkpoint is not believed");
            node.close().await;
        });
    }
}

#[test]
fn a_checkpoint_of_another_log_is_not_believed() {
    let (long, short) = (disk(), disk());
    on_simulated_time(async {
        let node = Node::start(&long, 1);
        for offset in 0..200 {
            node.commit(3, offset).await.unwrap();
        }
        node.pause(100).await;
        node.close().await;
    });
    on_simulated_time(async {
        let node = Node::start(&short, 1);
        node.commit(3, 7).await.unwrap();
        node.close().await;
    });
    let file = Layout::new("/data").groups().join(format!("{}-{}", ID.topic, ID.partition));
    let foreign = (&long as &dyn Disk).read(&file, 1 << 20).unwrap();
    short.create_dir(file.parent().unwrap()).unwrap();
    (&short as &dyn Disk).replace(&file, &foreign).unwrap();
    on_simulated_time(async {
        let node = Node::start(&short, 2);
        assert_eq!(node.committed(3).await, 7);
    });
}

#[test]
fn a_full_disk_refuses_commits_answers_reads_and_heals() {
    on_simulated_time(async {
        let disk = disk();
        let node = Node::start(&disk, 1);
        node.commit(0, 5).await.unwrap();

        disk.set_capacity(Some(1));
        node.directory.check_space().unwrap();
        assert_eq!(node.commit(0, 6).await, Err(Unavailable::CannotStore));
        assert_eq!(node.committed(0).await, 5);

        disk.set_capacity(None);
        node.directory.check_space().unwrap();
        node.commit(0, 7).await.unwrap();
        assert_eq!(node.committed(0).await, 7);
    });
}

#[test]
fn who_asks_too_early_or_elsewhere_or_too_late_is_told() {
    on_simulated_time(async {
        let disk = disk();
        let node = Node::start(&disk, 1);
        let group = || GroupId::new("g");

        let early = node.coordinator.ask(0, group(), commit(0, 1)).answer().await;
        let elsewhere = node.coordinator.ask(4, group(), commit(0, 1)).answer().await;
        node.commit(0, 1).await.unwrap();
        let outstanding = node.coordinator.ask(0, group(), commit(0, 2));
        node.coordinator.resign(ID);
        let late = node.coordinator.ask(0, group(), Request::Describe).answer().await;

        assert_eq!(early, Err(Unavailable::Loading));
        assert_eq!(elsewhere, Err(Unavailable::NotHere));
        assert!(matches!(outstanding.answer().await, Err(Unavailable::NotHere) | Ok(Answer::Commit(Ok(_)))));
        assert_eq!(late, Err(Unavailable::NotHere));
    });
}

#[test]
fn the_lead_comes_back_with_everything() {
    on_simulated_time(async {
        let disk = disk();
        let node = Node::start(&disk, 1);
        node.commit(0, 1).await.unwrap();
        node.coordinator.resign(ID);
        node.coordinator.lead(&node.replica, aquifer_types::LeaderEpoch(1));

        assert_eq!(node.committed(0).await, 1);
        let listed = node.coordinator.list(&ListFilter::default()).pop().unwrap().answer().await.unwrap();
        let Answer::List(listed) = listed else { panic!("{listed:?}") };
        assert_eq!(listed.iter().map(|group| group.group.as_str()).collect::<Vec<_>>(), ["g"]);
    });
}

#[test]
fn a_pattern_is_resolved_and_its_topics_are_assigned() {
    on_simulated_time(async {
        let disk = disk();
        let node = Node::start(&disk, 1);
        let Ok(Answer::ConsumerHeartbeat(Ok(joined))) = node.ask(&join_by_pattern("o.*r")).await else {
            panic!("joined")
        };
        node.pause(10).await;
        let Request::ConsumerHeartbeat(mut beat) = join_by_pattern("o.*r") else { unreachable!() };
        (beat.epoch, beat.topics, beat.pattern, beat.owned) = (joined.epoch, None, None, None);
        let mut assigned = joined.assignment;
        for _ in 0..5 {
            let told = node.ask(&Request::ConsumerHeartbeat(beat.clone())).await;
            let Ok(Answer::ConsumerHeartbeat(Ok(told))) = told else { panic!("{told:?}") };
            beat.epoch = told.epoch;
            assigned = told.assignment.or(assigned);
        }

        let assigned = assigned.expect("something is assigned");
        assert_eq!(assigned.into_values().collect::<Vec<_>>(), [[0]], "the one partition of the one topic");
    });
}

#[test]
fn a_heartbeat_is_answered_on_the_spot_but_not_before_what_was_asked_before_it() {
    on_simulated_time(async {
        let disk = disk();
        let node = Node::start(&disk, 1);
        let Request::ConsumerHeartbeat(mut beat) = join_by_pattern("none") else { unreachable!() };
        // It joins, the pattern is resolved, and nothing changes any more.
        for _ in 0..3 {
            let told = node.ask(&Request::ConsumerHeartbeat(beat.clone())).await;
            let Ok(Answer::ConsumerHeartbeat(Ok(told))) = told else { panic!("{told:?}") };
            (beat.epoch, beat.topics, beat.pattern, beat.owned) = (told.epoch, None, None, None);
            node.pause(10).await;
        }
        let ask = |request| node.coordinator.ask(0, GroupId::new("g"), request);

        let told = ask(Request::ConsumerHeartbeat(beat.clone())).answer().now_or_never();
        let Request::Commit(mut commit) = commit(0, 7) else { unreachable!() };
        (commit.member, commit.generation) = (beat.member.clone(), beat.epoch);
        let committed = ask(Request::Commit(commit));
        beat.epoch = -1;
        let left = ask(Request::ConsumerHeartbeat(beat));

        assert!(matches!(told, Some(Ok(Answer::ConsumerHeartbeat(Ok(_))))), "{told:?}");
        let Ok(Answer::Commit(Ok(outcomes))) = committed.answer().await else { panic!("a member commits") };
        assert_eq!(outcomes[0].1, [(0, Ok(()))]);
        assert!(matches!(left.answer().await, Ok(Answer::ConsumerHeartbeat(Ok(_)))));
        assert_eq!(node.committed(0).await, 7);
    });
}
