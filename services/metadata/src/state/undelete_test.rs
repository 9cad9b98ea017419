//! A deleted topic can come back until it is decided that its objects go, and is forgotten with the last of them.

use aquifer_manifest::TierRange;
use aquifer_types::{LeaderEpoch, Offset, PartitionIndex, TimestampMs, TopicPartition};

use crate::answer::{Answer, CreateTopicRefusal, UndeleteRefusal};
use crate::codec::{decode_snapshot, encode_snapshot};
use crate::command::{Change, TierAdd, TierCommit, TierDelete, TierMove, TopicKey, UndeleteTopic};
use crate::state::fixture::{Cluster, new_topic, topic_id};

const NEW_ID: u8 = 99;

/// A cluster whose topic "t" had ten records in the tier when it was deleted; and one that had none.
fn deleted() -> (Cluster, TopicPartition) {
    let mut cluster = Cluster::with_brokers(1);
    let at = cluster.create("t", &[0], &[("retention.ms", "7")]);
    let bare = cluster.create("bare", &[0], &[]);
    let range = TierRange {
        base: Offset(0),
        end: Offset(10),
        bytes: 1,
        footer_bytes: 1,
        max_timestamp: TimestampMs(0),
        leader_epoch: LeaderEpoch(0),
        generation: 1,
        nonce: 0,
        position: 0,
    };
    let moved = TierMove { partition: at, leader_epoch: LeaderEpoch(0), offset: Offset(0) };
    let commit = TierCommit { run: cluster.run(0), ranges: vec![TierAdd { at: moved, range }] };
    cluster.apply(Change::TierCommit(commit));
    cluster.apply(Change::DeleteTopics(vec![TopicKey::Id(at.topic), TopicKey::Id(bare.topic)]));
    (cluster, at)
}

fn undelete(cluster: &mut Cluster, at: TopicPartition) -> Result<(), UndeleteRefusal> {
    let topic = new_topic("t", NEW_ID, &[&[0]]);
    match cluster.apply(Change::UndeleteTopic(UndeleteTopic { deleted: at.topic, topic })) {
        Answer::TopicUndeleted(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn names(cluster: &Cluster) -> Vec<&str> {
    cluster.image().deleted_topics().map(|deleted| deleted.name().as_str()).collect()
}

#[test]
fn a_deleted_topic_comes_back_under_another_id_with_everything_in_the_tier() {
    let (mut cluster, at) = deleted();
    assert_eq!(names(&cluster), ["t"], "of the other nothing is left");
    assert_eq!(decode_snapshot(&encode_snapshot(cluster.image())).as_ref(), Ok(&cluster.state));

    assert_eq!(undelete(&mut cluster, at), Ok(()));

    let back = TopicPartition { topic: topic_id(NEW_ID), partition: PartitionIndex(0) };
    let tier = cluster.image().tier(back).expect("it has a tier");
    assert_eq!((tier.start(), tier.end(), tier.live().len()), (Offset(0), Offset(10), 1));
    assert!(cluster.image().tier(at).is_some_and(|old| old.live().is_empty()), "the old objects still go");
    assert_eq!(undelete(&mut cluster, at), Ok(()), "a retry is answered as the first");
    assert!(names(&cluster).is_empty());
}

#[test]
fn what_is_being_deleted_or_whose_name_is_taken_does_not_come_back() {
    let (mut cluster, at) = deleted();
    cluster.create("t", &[0], &[]);
    let taken = undelete(&mut cluster, at);
    assert!(matches!(taken, Err(UndeleteRefusal::Create(CreateTopicRefusal::Exists(_)))), "{taken:?}");
    let name = cluster.image().topic("t").expect("it is there").id();
    cluster.apply(Change::DeleteTopics(vec![TopicKey::Id(name)]));

    cluster.apply(Change::TierDelete(TierDelete { grace_ms: 0, upto: vec![(at, Offset(10))] }));
    assert_eq!(undelete(&mut cluster, at), Err(UndeleteRefusal::TooLate));
    cluster.apply(Change::TierForget(vec![(at, Offset(10))]));
    assert_eq!(undelete(&mut cluster, at), Err(UndeleteRefusal::Unknown));
    assert!(names(&cluster).is_empty(), "with the last object it is forgotten");
}
