//! Rules of committed offsets, one by one; figures of a large load.

use aquifer_group::{
    Answer, Commit, CommitPartition, FetchOffsets, FetchedOffset, GroupId, GroupRecord, Input, ListFilter,
    Loading, MemberId, OffsetValue, Refusal, Request, Settings,
};
use aquifer_types::{Offset, TimestampMs, TopicId};

use crate::cluster::{Cluster, name};
use crate::driver::Driver;

const GROUP: &str = "group";

fn driver() -> Driver {
    Driver::new(Cluster::with(&[("t", 4)]), Settings::default())
}

fn commit(driver: &mut Driver, topic: &str, partition: i32, metadata: &str) -> Result<(), Refusal> {
    let part = CommitPartition { partition, offset: Offset(7), leader_epoch: 3, metadata: metadata.into() };
    let commit = Commit {
        member: MemberId::new(""),
        instance: None,
        generation: -1,
        knows_epochs: false,
        retention_ms: None,
        topics: vec![(name(topic), vec![part])],
    };
    match driver.ask(GROUP, Request::Commit(commit)) {
        Answer::Commit(Ok(outcome)) => outcome[0].1[0].1.clone(),
        other => panic!("{other:?}"),
    }
}

fn fetch(driver: &mut Driver, topic: &str, partition: i32) -> FetchedOffset {
    let topics = Some(vec![(name(topic), vec![partition])]);
    let fetch = FetchOffsets { member: None, epoch: -1, topics };
    match driver.ask(GROUP, Request::FetchOffsets(fetch)) {
        Answer::FetchOffsets(Ok(fetched)) => fetched[0].1[0].clone(),
        other => panic!("{other:?}"),
    }
}

fn none(partition: i32) -> FetchedOffset {
    FetchedOffset { partition, offset: Offset(-1), leader_epoch: -1, metadata: Box::default() }
}

#[test]
fn a_group_that_nobody_knows_has_no_offsets_and_that_is_no_error() {
    assert_eq!(fetch(&mut driver(), "t", 1), none(1));
}

#[test]
fn offsets_outside_of_any_membership_are_kept_whole() {
    let mut driver = driver();

    assert_eq!(commit(&mut driver, "t", 1, "märk"), Ok(()));

    let kept = FetchedOffset { partition: 1, offset: Offset(7), leader_epoch: 3, metadata: "märk".into() };
    assert_eq!(fetch(&mut driver, "t", 1), kept);
    driver.restart();
    assert_eq!(fetch(&mut driver, "t", 1), kept);
}

#[test]
fn what_may_not_be_kept_is_refused_partition_by_partition() {
    let mut driver = driver();

    assert_eq!(commit(&mut driver, "t", 1, &"x".repeat(4_096)), Ok(()));
    assert_eq!(commit(&mut driver, "t", 1, &"x".repeat(4_097)), Err(Refusal::OffsetMetadataTooLarge));
    assert_eq!(commit(&mut driver, "t", 4, ""), Err(Refusal::UnknownTopicOrPartition));
    assert_eq!(commit(&mut driver, "u", 0, ""), Err(Refusal::UnknownTopicOrPartition));
}

#[test]
fn an_uncommitted_offset_is_neither_acknowledged_nor_read() {
    let mut driver = driver();
    assert_eq!(commit(&mut driver, "t", 0, ""), Ok(()));
    driver.commits_at_once = false;
    let request = Commit {
        member: MemberId::new(""),
        instance: None,
        generation: -1,
        knows_epochs: false,
        retention_ms: None,
        topics: vec![(
            name("t"),
            vec![CommitPartition {
                partition: 0,
                offset: Offset(9),
                leader_epoch: 3,
                metadata: Box::default(),
            }],
        )],
    };
    let written = driver.send(GROUP, Request::Commit(request));
    let read =
        driver.send(GROUP, Request::FetchOffsets(FetchOffsets { member: None, epoch: -1, topics: None }));

    assert_eq!((driver.take(written), driver.take(read)), (None, None));
    let mut unanswered = driver.restart();
    unanswered.sort_unstable();
    assert_eq!(unanswered, [written, read]);
    assert_eq!(fetch(&mut driver, "t", 0).offset, Offset(7));
}

#[test]
fn a_deleted_topics_offsets_go_and_a_new_one_of_its_name_has_none() {
    let mut driver = driver();
    assert_eq!(commit(&mut driver, "t", 0, ""), Ok(()));
    let old = driver.cluster.delete("t");
    driver.cluster.create("t", 4);
    assert_eq!(fetch(&mut driver, "t", 0), none(0));

    driver.handle(Input::TopicsDeleted(vec![(name("t"), old)]));
    driver.advance(1);

    assert_eq!(driver.shard.group_count(), 0);
    assert_eq!(driver.log.last().map(|(_, value)| value.is_none()), Some(true));
}

#[test]
fn offsets_expire_where_nobody_is_left_to_read_them() {
    let mut driver = driver();
    assert_eq!(commit(&mut driver, "t", 0, ""), Ok(()));
    driver.advance(7 * 24 * 3_600_000 - 60_000);
    assert_eq!(driver.shard.group_count(), 1);

    driver.advance(1_200_000);

    assert_eq!(driver.shard.group_count(), 0);
    assert_eq!(fetch(&mut driver, "t", 0), none(0));
}

#[test]
fn empty_groups_are_listed_and_deleted() {
    let mut driver = driver();
    assert_eq!(commit(&mut driver, "t", 0, ""), Ok(()));
    let ticket = driver.ticket();
    driver.handle(Input::List {
        ticket,
        filter: ListFilter { states: vec!["empty".into()], types: Vec::new() },
    });
    let Some(Answer::List(listed)) = driver.take(ticket) else { panic!("no list") };
    assert_eq!((listed.len(), listed[0].state, listed[0].group_type), (1, "Empty", "classic"));

    assert_eq!(driver.ask(GROUP, Request::Delete), Answer::Delete(Ok(())));

    assert_eq!(driver.ask(GROUP, Request::Delete), Answer::Delete(Err(Refusal::GroupIdNotFound)));
    assert_eq!(
        driver.loaded().checkpoint(),
        Loading::restore(&driver.loaded().checkpoint()).expect("whole").checkpoint()
    );
}

#[test]
fn what_was_exported_makes_another_shard_know_every_offset_and_waits_for_what_it_rests_on() {
    let mut driver = driver();
    assert_eq!(commit(&mut driver, "t", 0, "kept"), Ok(()));
    assert_eq!(commit(&mut driver, "t", 3, ""), Ok(()));
    driver.commits_at_once = false;
    let delete = vec![(name("t"), vec![3])];
    driver.send(GROUP, Request::DeleteOffsets(delete));
    let ticket = driver.ticket();
    driver.handle(Input::Export { ticket });
    assert_eq!(driver.take(ticket), None, "the removal may still be lost");
    driver.commit_all();

    let Some(Answer::Export(records)) = driver.take(ticket) else { panic!("no answer") };
    driver.log = records.iter().map(|record| (record.key(), record.value())).collect();
    driver.restart();

    let kept = FetchedOffset { partition: 0, offset: Offset(7), leader_epoch: 3, metadata: "kept".into() };
    assert_eq!((fetch(&mut driver, "t", 0), fetch(&mut driver, "t", 3)), (kept, none(3)));
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let mut driver = driver();
    assert_eq!(commit(&mut driver, "t", 0, "kept"), Ok(()));
    let whole = driver.loaded().checkpoint();

    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        assert!(Loading::restore(&damaged).is_err(), "byte {at}");
        assert!(Loading::restore(&whole[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn many_offsets_are_taken_in_and_kept_by_a_checkpoint() {
    let records = (0..20_000).map(|at| {
        let value = OffsetValue {
            offset: Offset(at),
            leader_epoch: 1,
            metadata: Box::default(),
            committed_at: TimestampMs(at),
            expires_at: None,
            topic_id: TopicId::default(),
        };
        let record = GroupRecord::Offset {
            group: GroupId::new(&format!("group-{}", at % 1_000)),
            topic: name(&format!("topic-{}", at / 1_000 % 10)),
            partition: (at / 10_000) as i32,
            value: Some(value),
        };
        (record.key(), record.value())
    });
    let records: Vec<_> = records.collect();
    let mut loading = Loading::new();
    for (at, (key, value)) in records.iter().enumerate() {
        loading.replay(Offset(at as i64), key, value.as_deref());
    }
    let checkpoint = loading.checkpoint();
    assert_eq!(loading.skipped(), 0);
    let restored = Loading::restore(&checkpoint).expect("it was just made");
    assert_eq!(restored.checkpoint(), checkpoint);
    assert!(checkpoint.len() > records.len() * size_of::<i64>(), "every offset is in it");
}
