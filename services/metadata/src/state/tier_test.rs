//! Who may change a partition's tier, and what becomes of it when its topic is deleted.

use aquifer_manifest::{TierRange, TierRefusal};
use aquifer_types::{LeaderEpoch, Offset, TimestampMs, TopicPartition};

use crate::answer::{Answer, NotLeading, TierCommandRefusal};
use crate::command::{
    BrokerRun, Change, Command, TierAdd, TierCommit, TierDelete, TierMove, TierTrim, TopicKey,
};
use crate::state::fixture::Cluster;

fn add(at: TopicPartition, epoch: i32, base: i64, end: i64) -> TierAdd {
    TierAdd {
        at: TierMove { partition: at, leader_epoch: LeaderEpoch(epoch), offset: Offset(base) },
        range: TierRange {
            base: Offset(base),
            end: Offset(end),
            bytes: 1,
            footer_bytes: 1,
            max_timestamp: TimestampMs(0),
            leader_epoch: LeaderEpoch(epoch),
            generation: 1,
            nonce: 0,
        },
    }
}

fn commit(cluster: &mut Cluster, run: BrokerRun, add: TierAdd) -> Result<(), TierCommandRefusal> {
    match cluster.apply(Change::TierCommit(TierCommit { run, ranges: vec![add] })) {
        Answer::TierCommitted(outcomes) => outcomes[0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_the_leader_in_its_epoch_commits_and_only_where_the_tier_ends() {
    let mut cluster = Cluster::with_brokers(2);
    let at = cluster.create("t", &[0, 1], &[]);
    let (leader, follower) = (cluster.run(0), cluster.run(1));
    let stale = BrokerRun { epoch: aquifer_types::BrokerEpoch(1), ..leader };

    assert!(matches!(
        commit(&mut cluster, stale, add(at, 0, 0, 10)),
        Err(TierCommandRefusal::Leads(NotLeading::Run(_)))
    ));
    let other = commit(&mut cluster, follower, add(at, 0, 0, 10));
    assert_eq!(other, Err(TierCommandRefusal::Leads(NotLeading::Another(LeaderEpoch(0)))));
    let early = commit(&mut cluster, leader, add(at, -1, 0, 10));
    assert_eq!(early, Err(TierCommandRefusal::Leads(NotLeading::Another(LeaderEpoch(0)))));
    assert_eq!(commit(&mut cluster, leader, add(at, 0, 0, 10)), Ok(()));
    assert_eq!(commit(&mut cluster, leader, add(at, 0, 0, 10)), Ok(()), "a retry is answered as the first");
    let gap = commit(&mut cluster, leader, add(at, 0, 12, 20));
    let end = TierRefusal::End { end: Offset(10), expected: Offset(12) };
    assert_eq!(gap, Err(TierCommandRefusal::Tier(end)));
    assert_eq!(cluster.image().tier(at).unwrap().end(), Offset(10));
}

#[test]
fn a_deleted_topics_ranges_are_kept_for_a_while_and_then_deleted_and_forgotten() {
    let mut cluster = Cluster::with_brokers(1);
    let at = cluster.create("t", &[0], &[]);
    let run = cluster.run(0);
    commit(&mut cluster, run, add(at, 0, 0, 10)).unwrap();

    cluster.apply(Change::DeleteTopics(vec![TopicKey::Id(at.topic)]));
    let delete = |grace_ms| Change::TierDelete(TierDelete { grace_ms, upto: vec![(at, Offset(10))] });
    let not_yet = Err(TierCommandRefusal::Tier(TierRefusal::NotYet(Offset(10))));
    assert_eq!(cluster.apply(delete(1_000)), Answer::TierDeleted(vec![not_yet]));
    let index = cluster.image().applied() + 1;
    let tick = Command { time: TimestampMs(1_000), change: Change::Tick };
    cluster.state.apply(index, &tick, &mut Vec::new());
    assert_eq!(cluster.apply(delete(1_000)), Answer::TierDeleted(vec![Ok(())]));
    assert_eq!(cluster.image().tier(at).unwrap().deleting().len(), 1);
    cluster.apply(Change::TierForget(vec![(at, Offset(10))]));
    assert_eq!(cluster.image().tier(at), None);
}

#[test]
fn a_start_is_moved_by_the_leader_and_before_the_first_range_too() {
    let mut cluster = Cluster::with_brokers(1);
    let at = cluster.create("t", &[0], &[]);
    let run = cluster.run(0);
    let trim = |epoch, offset| {
        let start = TierMove { partition: at, leader_epoch: LeaderEpoch(epoch), offset: Offset(offset) };
        Change::TierTrim(TierTrim { run, starts: vec![start] })
    };

    assert_eq!(cluster.apply(trim(0, 3)), Answer::TierTrimmed(vec![Ok(())]));
    let late = TierRefusal::End { end: Offset(3), expected: Offset(0) };
    let uploaded_before = commit(&mut cluster, run, add(at, 0, 0, 10));
    assert_eq!(uploaded_before, Err(TierCommandRefusal::Tier(late)), "what was deleted does not come back");
    let from_there = TierAdd { range: add(at, 0, 0, 10).range, ..add(at, 0, 3, 10) };
    commit(&mut cluster, run, from_there).unwrap();
    let stale = Err(TierCommandRefusal::Leads(NotLeading::Another(LeaderEpoch(0))));
    assert_eq!(cluster.apply(trim(-1, 5)), Answer::TierTrimmed(vec![stale]));
    assert_eq!(cluster.apply(trim(0, 5)), Answer::TierTrimmed(vec![Ok(())]));
    assert_eq!(cluster.image().tier(at).unwrap().start(), Offset(5));
}
