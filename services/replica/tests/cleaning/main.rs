//! Cleaning a replica's log while everything else goes on.

mod mirrored;
mod node;

use std::collections::BTreeMap;
use std::time::Duration;

use aquifer_disk::{CrashChoice, Disk};
use aquifer_hotlog::format::Layout;
use aquifer_partition::{Acks, Isolation};
use aquifer_replica::ReplicaConfig;
use aquifer_types::{LeaderEpoch, NodeId, Offset, ProducerId, TimestampMs};

use crate::node::{Node, Row, config, disk, file_names, on_simulated_time};

fn latest(rows: &[Row]) -> BTreeMap<String, Option<String>> {
    rows.iter().map(|row| (row.key.clone(), row.value.clone())).collect()
}

fn value(round: usize) -> String {
    format!("{round} {}", "v".repeat(60))
}

/// `rounds` batches with a few of ten keys each.
async fn fill(node: &Node, rounds: usize) {
    for round in 0..rounds {
        let keys = [format!("k{}", round % 10), format!("k{}", round * 7 % 10)];
        let value = value(round);
        node.append(&[(&keys[0], Some(&value)), (&keys[1], Some(&value))]).await;
    }
    node.pause(20).await;
}

#[test]
fn appends_are_acknowledged_while_the_log_is_cleaned_and_readers_see_every_latest_record() {
    on_simulated_time(async {
        let disk = disk();
        let node = Node::start(&disk, 3);
        fill(&node, 200).await;
        let before = node.read_all();
        let early = node.fetch(17);

        let replica = node.replica.clone();
        let now = node.runtime.now().wall;
        let cleaning = node.runtime.spawn("clean", async move { replica.clean(now, node::LIMITS).await });
        let mut meanwhile = 0;
        let (mut done, mut during) = (false, Vec::new());
        let mut cleaning = std::pin::pin!(cleaning);
        while !done {
            let value = value(1_000 + meanwhile);
            let rows = [("k3", Some(value.as_str())), ("new", Some(value.as_str()))];
            tokio::select! {
                biased;
                outcome = &mut cleaning => {
                    let report = outcome.expect("it did not panic").expect("no error").expect("it was due");
                    assert!(report.tally.records_removed > 300, "{report:?}");
                    done = true;
                }
                appended = node.append(&rows) => {
                    during.push(appended.base.0);
                    meanwhile += 1;
                }
            }
        }

        assert!(meanwhile > 0, "no append was acknowledged during the cleaning");
        let after = node.read_all();
        assert_eq!(latest(&after).get("k5"), latest(&before).get("k5"));
        for row in after.iter().filter(|row| row.offset < before.len() as i64) {
            assert!(before.contains(row), "{row:?} is not what was written");
        }
        for offset in during {
            assert!(after.iter().any(|row| row.offset == offset), "{offset} was acknowledged");
        }
        // Found before the segment was replaced, read after: its file waits for this reader.
        let (_, rows, _) = node.resolve(&early);
        assert_eq!(rows, before[16..18]);
        drop(early);
        node.directory.sweep();
        // What was cleaned has become small, and is put together next time.
        fill(&node, 20).await;
        let report = node.clean().await.expect("it is dirty again");
        assert!(report.segments_after < report.segments_before / 2, "{report:?}");
        node.directory.sweep();
        let held = node.replica.ends().expect("online").0.segments;
        assert_eq!(
            file_names(&disk, ".log").len(),
            held.iter().filter(|segment| segment.summary.bytes > 0).count()
        );
    });
}

#[test]
fn questions_by_offset_time_and_epoch_are_answered_as_before() {
    on_simulated_time(async {
        let disk = disk();
        let node = Node::start(&disk, 4);
        let mut times = Vec::new();
        for round in 0..60 {
            times.push(node.runtime.now().wall);
            if round == 23 {
                node.replica.lead(node::lead(7, &[NodeId(0)]));
            }
            let key = if round == 10 { "once".to_owned() } else { format!("k{}", round % 3) };
            // A batch that stays though empty, for its producer's sake.
            let producer = (round == 9).then_some((5, 0));
            node.append_as(&[(&key, Some(&value(round)))], producer).await;
            node.pause(10).await;
        }
        let end_of_first = |node: &Node| {
            node.replica.end_of_epoch(None, LeaderEpoch(4)).expect("leads").map(|found| found.end)
        };
        assert_eq!(end_of_first(&node), Some(Offset(23)));
        // Read up to here, so that a cursor remembers a position in a segment that is about to be rewritten.
        let (_, _, next) = node.resolve(&node.fetch(10));
        assert_eq!(next, 11);

        node.clean().await.expect("it was due");

        let found = |from| node.first_from(from).map(|row| (row.offset, row.key));
        assert_eq!(found(3), Some((10, "once".to_owned())));
        assert!(found(11).is_some_and(|(offset, _)| offset > 40), "{:?}", found(11));
        let at = |time: TimestampMs| {
            let query = node.replica.at_time(time, Isolation::ReadUncommitted, None).expect("leads");
            query
                .lookup
                .resolve(node.directory.files(), Offset::ZERO)
                .expect("it can be read")
                .map(|range| range.next.0)
        };
        assert_eq!(at(times[0]), Some(11), "the first record with that time or a later one");
        assert_eq!(at(times[9]), Some(11), "no record of the batch before is left");
        assert_eq!(at(times[10]), Some(11));
        let query = node.replica.at_max_timestamp(Isolation::ReadUncommitted, None).expect("leads");
        assert_eq!(query.expect("there are records").time, times[59]);
        assert_eq!(end_of_first(&node), Some(Offset(23)));
        assert_eq!(node.replica.epoch_at(Offset(3)), node.replica.epoch_at(Offset(10)));

        let answers = node.read_all();
        node.close().await;
        let node = Node::start(&disk, 8);
        assert_eq!((node.read_all(), end_of_first(&node)), (answers.clone(), Some(Offset(23))));
        let again = Node::start(&disk.crash(&mut CrashChoice::KeepAll), 9);
        assert_eq!((again.read_all(), end_of_first(&again)), (answers, Some(Offset(23))));
    });
}

#[test]
fn a_lost_index_of_a_cleaned_segment_is_made_again_and_brings_nothing_back() {
    on_simulated_time(async {
        let disk = disk();
        let node = Node::start(&disk, 8);
        fill(&node, 60).await;
        node.clean().await.expect("it was due");
        node.directory.sweep();
        let kept = node.read_all();
        let crashed = disk.crash(&mut CrashChoice::KeepAll);
        for name in file_names(&crashed, "-1.idx") {
            crashed.flip_bit(&Layout::new("/data").partition(node::ID).join(name), 40);
        }

        let node = Node::start(&crashed, 9);

        assert_eq!(node.read_all(), kept);
        assert_eq!(node.append(&[("k1", Some("x"))]).await.base, Offset(120));
        assert!(node.clean().await.is_some_and(|report| report.tally.records_removed == 0));
    });
}

#[test]
fn deletion_retention_and_a_close_end_a_cleaning_at_any_step() {
    for turn in 0..60u64 {
        on_simulated_time(async {
            let disk = disk();
            let node = Node::start(&disk, turn);
            fill(&node, 60).await;
            let before = node.read_all();
            let replica = node.replica.clone();
            let now = node.runtime.now().wall;
            let cleaning = node.runtime.spawn("clean", async move { replica.clean(now, node::LIMITS).await });
            for _ in 0..turn / 3 * 3 {
                tokio::task::yield_now().await;
            }

            match turn % 3 {
                0 => {
                    node.replica.delete();
                    // Given up, or done before.
                    let _ = cleaning.await.expect("it did not panic");
                    node.pause(50).await;
                    assert_eq!(file_names(&disk, ""), Vec::<String>::new(), "turn {turn}");
                }
                1 => {
                    let upto = Offset(40 + i64::try_from(turn).unwrap());
                    let told = node.replica.delete_records(Some(upto), None).expect("leads");
                    // A segment may go between the steps.
                    let _ = cleaning.await.expect("it did not panic");
                    assert_eq!(told.await, Ok(upto));
                    node.pause(50).await;
                    let after = node.read_all();
                    assert!(after.iter().all(|row| before.contains(row)), "turn {turn}");
                    let wanted = latest(&before);
                    let held = latest(&after);
                    for row in before.iter().filter(|row| row.offset >= upto.0) {
                        assert_eq!(held.get(&row.key), wanted.get(&row.key), "turn {turn}");
                    }
                }
                _ => {
                    node.close().await;
                    let _ = cleaning.await.expect("it did not panic");
                    assert_eq!(file_names(&disk, ".tmp"), Vec::<String>::new(), "turn {turn}");
                    let logs = file_names(&disk, ".log").len();
                    let node = Node::start(&disk, turn);
                    assert_eq!(latest(&node.read_all()), latest(&before), "turn {turn}");
                    let ends = node.replica.ends().expect("online").0;
                    let held = ends.segments.iter().filter(|segment| segment.summary.bytes > 0).count();
                    assert_eq!(logs, held, "turn {turn}: files that nobody knows");
                }
            }
        });
    }
}

#[test]
fn a_producers_last_sequence_survives_though_all_its_records_are_superseded() {
    on_simulated_time(async {
        let disk = disk();
        let node = Node::start(&disk, 11);
        for sequence in 0..20 {
            node.append_as(&[("mine", Some(&value(3)))], Some((77, sequence))).await;
        }
        for round in 0..30 {
            node.append(&[("mine", Some(&value(round)))]).await;
        }
        node.pause(20).await;
        node.clean().await.expect("it was due");

        for from_batches in [false, true] {
            let disk = disk.crash(&mut CrashChoice::KeepAll);
            if from_batches {
                for name in file_names(&disk, ".producers") {
                    disk.remove_file(&Layout::new("/data").partition(node::ID).join(name)).unwrap();
                }
            }
            let node = Node::start(&disk, 12);

            let rows = node.read_all();
            assert!(rows.iter().all(|row| row.offset >= 20), "{rows:?}");
            let last = node.producers[&ProducerId(77)];
            assert_eq!((last.last_sequence, last.base, last.end), (19, Offset(19), Offset(20)));
        }
    });
}

#[test]
fn an_idle_log_is_closed_and_cleaned_once_a_record_is_older_than_its_topic_allows() {
    on_simulated_time(async {
        let disk = disk();
        let node = Node::start(&disk, 13);
        let mut settings = config();
        let policy = settings.compaction.as_mut().expect("it compacts");
        (policy.max_lag_ms, policy.min_dirty_ratio) = (5_000, 1.0);
        node.replica.configure(settings);
        node.append(&[("a", Some("1")), ("a", Some("2"))]).await;

        node.replica.keep(node.runtime.now().wall);
        node.pause(20).await;
        assert!(node.clean().await.is_none());
        node.pause(6_000).await;
        node.replica.keep(node.runtime.now().wall);
        node.pause(20).await;

        let report = node.clean().await.expect("overdue");
        assert_eq!(report.tally.records_removed, 1);
        assert_eq!(node.read_all().len(), 1);
        assert!(node.clean().await.is_none());
    });
}

#[test]
fn what_is_not_committed_is_not_cleaned_however_durable_it_is() {
    on_simulated_time(async {
        let disk = disk();
        let mut node = Node::start(&disk, 14);
        node.acks = Acks::Leader;
        node.replica.lead(node::lead(15, &[NodeId(0), NodeId(1)]));
        fill(&node, 40).await;
        assert_eq!(node.directory.sync(node::ID), Some(Offset(80)));

        assert!(node.clean().await.is_none());
        node.replica.lead(node::lead(16, &[NodeId(0)]));

        assert!(node.clean().await.is_some_and(|report| report.tally.records_removed > 0));
    });
}

#[test]
fn a_topic_that_ceases_to_compact_keeps_what_it_has_from_that_moment_on() {
    for turn in 0..40u64 {
        on_simulated_time(async {
            let disk = disk();
            let node = Node::start(&disk, turn);
            fill(&node, 60).await;
            let replica = node.replica.clone();
            let now = node.runtime.now().wall;
            let cleaning = node.runtime.spawn("clean", async move { replica.clean(now, node::LIMITS).await });
            for _ in 0..turn * 4 {
                tokio::task::yield_now().await;
            }

            node.replica.configure(ReplicaConfig { compaction: None, ..config() });
            let kept = node.read_all();
            let _ = cleaning.await.expect("it did not panic");

            assert_eq!(node.read_all(), kept, "turn {turn}");
            assert_eq!(file_names(&disk, ".tmp"), Vec::<String>::new(), "turn {turn}");
        });
    }
}

#[test]
fn a_cleaning_leaves_the_disks_reserve_alone_and_is_done_once_there_is_room() {
    on_simulated_time(async {
        let disk = disk();
        let node = Node::start(&disk, 15);
        fill(&node, 60).await;
        let before = node.read_all();
        disk.set_capacity(Some(4 << 20));

        let refused = node.replica.clean(node.runtime.now().wall, node::LIMITS).await;

        assert!(refused.is_err_and(|error| error.is_passing()));
        assert_eq!(node.read_all(), before);
        disk.set_capacity(None);
        assert!(node.clean().await.is_some());
    });
}

#[test]
fn one_cleaning_at_a_time_and_a_close_and_a_deletion_wait_for_its_end() {
    on_simulated_time(async {
        let disk = disk();
        let node = Node::start(&disk, 16);
        fill(&node, 10).await;
        let cleaning = node.directory.begin_cleaning(&node.handle).expect("none is under way");
        assert!(node.directory.begin_cleaning(&node.handle).is_none());
        assert!(node.clean().await.is_none());

        node.replica.delete();
        node.pause(100).await;
        assert!(!file_names(&disk, ".log").is_empty(), "files went under a cleaning");
        drop(cleaning);
        assert!(file_names(&disk, "").is_empty());
        assert!(node.directory.begin_cleaning(&node.handle).is_none(), "there is nothing to clean");

        let node = Node::start(&node::disk(), 17);
        fill(&node, 10).await;
        let cleaning = node.directory.begin_cleaning(&node.handle).expect("none is under way");
        let closed = node.runtime.timeout(Duration::from_secs(5), node.close()).await;
        assert!(closed.is_none(), "it closed under a cleaning");
        drop(cleaning);
        node.close().await;
        assert!(node.directory.begin_cleaning(&node.handle).is_none());
    });
}

#[test]
fn a_damaged_segment_is_not_copied_on() {
    on_simulated_time(async {
        let disk = disk();
        let node = Node::start(&disk, 18);
        fill(&node, 60).await;
        let names = file_names(&disk, ".log");
        disk.flip_bit(&Layout::new("/data").partition(node::ID).join(&names[2]), 100);

        let refused = node.replica.clean(node.runtime.now().wall, node::LIMITS).await;

        assert!(refused.is_err_and(|error| !error.is_passing()));
        assert_eq!(file_names(&disk, ".log"), names);
        assert_eq!(file_names(&disk, ".tmp"), Vec::<String>::new());
        node.append(&[("k1", Some("it goes on"))]).await;
    });
}

#[test]
fn a_rewritten_segment_has_its_name_only_once_it_is_whole() {
    on_simulated_time(async {
        let disk = disk();
        let node = Node::start(&disk, 19);
        fill(&node, 100).await;
        let replica = node.replica.clone();
        let now = node.runtime.now().wall;
        let cleaning = node.runtime.spawn("clean", async move { replica.clean(now, node::LIMITS).await });
        let mut cleaning = std::pin::pin!(cleaning);
        let mut seen = 0;
        loop {
            tokio::select! {
                biased;
                outcome = &mut cleaning => {
                    assert!(outcome.is_some_and(|outcome| outcome.is_ok_and(|report| report.is_some())));
                    break;
                }
                () = tokio::task::yield_now() => {}
            }
            let stems = |ending: &str| -> Vec<String> {
                let names = file_names(&disk, ending).into_iter().filter(|name| !name.contains("-0."));
                names.map(|name| name.trim_end_matches(ending).to_owned()).collect()
            };
            assert_eq!(stems(".log"), stems(".idx"));
            seen += 1;
        }
        assert!(seen > 50, "the cleaning was not looked at: {seen}");
    });
}
