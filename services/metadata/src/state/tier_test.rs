//! Who may change a partition's tier, and what becomes of it when its topic is deleted.

use aquifer_manifest::{ObjectKey, TierRange, TierRefusal};
use aquifer_types::{LeaderEpoch, Offset, TimestampMs, TopicPartition};

use crate::answer::{Answer, NotLeading, TierCommandRefusal};
use crate::command::{
    BrokerRun, Change, Command, TierAdd, TierCommit, TierDelete, TierDeleteReplaced, TierMove, TierReplace,
    TierStretch, TierTrim, TopicKey,
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
            position: 0,
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

fn replace(
    cluster: &mut Cluster,
    run: BrokerRun,
    at: TopicPartition,
    (epoch, range): (i32, TierRange),
) -> Result<(), TierCommandRefusal> {
    let at = TierMove { partition: at, leader_epoch: LeaderEpoch(epoch), offset: range.base };
    let stretches = vec![TierStretch { at, ranges: vec![range] }];
    match cluster.apply(Change::TierReplace(TierReplace { run, stretches })) {
        Answer::TierReplaced(outcomes) => outcomes[0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_the_leader_in_its_epoch_replaces_and_only_what_it_covers_exactly() {
    let mut cluster = Cluster::with_brokers(2);
    let at = cluster.create("t", &[0, 1], &[]);
    let (leader, follower) = (cluster.run(0), cluster.run(1));
    let stale = BrokerRun { epoch: aquifer_types::BrokerEpoch(1), ..leader };
    let whole = TierRange { nonce: 7, ..add(at, 0, 0, 20).range };
    assert_eq!(replace(&mut cluster, leader, at, (0, whole)), Err(TierCommandRefusal::NoTier));
    commit(&mut cluster, leader, add(at, 0, 0, 10)).unwrap();
    commit(&mut cluster, leader, add(at, 0, 10, 20)).unwrap();

    assert!(matches!(
        replace(&mut cluster, stale, at, (0, whole)),
        Err(TierCommandRefusal::Leads(NotLeading::Run(_)))
    ));
    let not_leader = Err(TierCommandRefusal::Leads(NotLeading::Another(LeaderEpoch(0))));
    assert_eq!(replace(&mut cluster, follower, at, (0, whole)), not_leader);
    assert_eq!(replace(&mut cluster, leader, at, (-1, whole)), not_leader);
    let longer = TierRange { end: Offset(25), ..whole };
    let not_covered = Err(TierCommandRefusal::Tier(TierRefusal::NotCovered));
    assert_eq!(replace(&mut cluster, leader, at, (0, longer)), not_covered);
    assert_eq!(replace(&mut cluster, leader, at, (0, whole)), Ok(()));
    assert_eq!(replace(&mut cluster, leader, at, (0, whole)), Ok(()), "a retry is answered as the first");
    let tier = cluster.image().tier(at).unwrap();
    assert_eq!((tier.ranges(), tier.replaced().all().len()), (&[whole][..], 2));
}

#[test]
fn a_deleted_topic_is_remembered_until_what_was_replaced_is_gone_too() {
    let mut cluster = Cluster::with_brokers(1);
    let at = cluster.create("t", &[0], &[]);
    let run = cluster.run(0);
    let (old, new) = (add(at, 0, 0, 10).range, TierRange { nonce: 7, ..add(at, 0, 0, 10).range });
    commit(&mut cluster, run, add(at, 0, 0, 10)).unwrap();
    replace(&mut cluster, run, at, (0, new)).unwrap();

    cluster.apply(Change::DeleteTopics(vec![TopicKey::Id(at.topic)]));
    cluster.apply(Change::TierDelete(TierDelete { grace_ms: 0, upto: vec![(at, Offset(10))] }));
    cluster.apply(Change::TierForget(vec![(at, Offset(10))]));
    let upto = vec![(at, ObjectKey::of(&old))];
    let early = Change::TierDeleteReplaced(TierDeleteReplaced { grace_ms: 1_000, upto: upto.clone() });
    let still_known = Err(TierCommandRefusal::Tier(TierRefusal::StillKnown));
    assert_eq!(cluster.apply(early), Answer::TierDeleted(vec![still_known]));
    assert_eq!(cluster.image().tier(at).unwrap().named().count(), 1);
    cluster.apply(Change::TierDeleteReplaced(TierDeleteReplaced { grace_ms: 0, upto: upto.clone() }));
    cluster.apply(Change::TierForgetReplaced(upto));
    assert_eq!(cluster.image().tier(at), None);
}
