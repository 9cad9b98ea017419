//! Members of groups: sharing, leaving, coming back, and what operators do to groups.

use std::collections::BTreeMap;
use std::time::Duration;

use aquifer_client::{
    Commit, ConsumerSettings, Event, GroupConsumer, GroupKind, GroupSettings, NewOffset, Place, Start,
    Subscription,
};
use aquifer_loadtest::server::Kind;
use aquifer_runtime::Runtime;
use aquifer_types::{Offset, PartitionIndex};
use aquifer_wire::ErrorCode;

use super::server::{Read, Stage, take, values};

fn settings(group: &str, topic: &str) -> GroupSettings {
    GroupSettings {
        start: Start::Earliest,
        commit: Commit::Every(Duration::from_millis(100)),
        ..GroupSettings::new(group, Subscription::Topics(vec![topic.to_owned()]))
    }
}

fn join(stage: &Stage, settings: GroupSettings) -> GroupConsumer {
    GroupConsumer::join(stage.client.clone(), settings, ConsumerSettings::default())
}

/// Consumes until `enough` says so; gives what was read.
async fn consume_until(
    member: &mut GroupConsumer,
    mut enough: impl FnMut(&GroupConsumer, &BTreeMap<i32, Vec<Read>>) -> bool,
) -> BTreeMap<i32, Vec<Read>> {
    let mut records = BTreeMap::new();
    while !enough(member, &records) {
        let event = Runtime::real().timeout(Duration::from_millis(200), member.next()).await;
        if let Some(Event::Records(chunk)) = event.map(|event| event.expect("readable")) {
            take(&chunk, &mut records);
        }
    }
    records
}

fn count(records: &BTreeMap<i32, Vec<Read>>) -> usize {
    records.values().map(Vec::len).sum()
}

pub(super) async fn members_share_partitions_and_take_over_where_others_stopped(stage: Stage) {
    let topic = stage.topic(4).await;
    for partition in 0..4 {
        stage.fill(&topic, partition, 0..50).await;
    }
    let mut first = join(&stage, settings("shared", &topic));
    let all = consume_until(&mut first, |_, records| count(records) == 200).await;
    let mut second = join(&stage, settings("shared", &topic));

    // Both go on asking, as members do, until each has its half.
    let halves = async {
        let half = |member: &GroupConsumer, _: &_| member.assigned().len() == 2;
        tokio::join!(consume_until(&mut first, half), consume_until(&mut second, half))
    };
    halves.await;
    let (mine, others): (Vec<Place>, Vec<Place>) = (first.assigned(), second.assigned());
    first.close().await;
    let left = consume_until(&mut second, |member, _| member.assigned().len() == 4).await;
    stage.fill(&topic, 0, 50..60).await;
    let fresh = consume_until(&mut second, |_, records| count(records) == 10).await;
    second.close().await;

    assert_eq!(values(&all, 3).len(), 50);
    assert!(mine.iter().all(|place| !others.contains(place)), "{mine:?} {others:?}");
    assert_eq!(count(&left), 0, "what the first one committed is not read again: {left:?}");
    assert_eq!(values(&fresh, 0), (50..60).map(|number| number.to_string()).collect::<Vec<_>>());
    let committed = stage.client.group_offsets("shared").await.expect("offsets");
    let expected = [60, 50, 50, 50].map(Offset);
    assert_eq!(committed.values().map(|at| at.offset).collect::<Vec<_>>(), expected);
}

pub(super) async fn what_a_member_is_busy_with_is_not_given_to_another(stage: Stage) {
    // Which of two partitions the second member gets is the group's affair: in one of the turns it is the one that is held.
    for held in 0..2 {
        let topic = stage.topic(2).await;
        let group = format!("busy-{held}");
        stage.fill(&topic, held, 0..50).await;
        let mut first = join(&stage, settings(&group, &topic));
        consume_until(&mut first, |_, records| count(records) == 50).await;
        let mut second = join(&stage, settings(&group, &topic));

        let one_each = |member: &GroupConsumer, _: &_| member.assigned().len() == 1;
        let busy = async {
            Runtime::real().sleep(Duration::from_secs(2)).await;
            consume_until(&mut first, one_each).await
        };
        let (mine, others) = tokio::join!(busy, consume_until(&mut second, one_each));
        for partition in 0..2 {
            stage.fill(&topic, partition, 50..55).await;
        }
        let five = |_: &_, records: &BTreeMap<i32, Vec<Read>>| count(records) >= 5;
        let (more, others_more) =
            tokio::join!(consume_until(&mut first, five), consume_until(&mut second, five));

        let fresh: Vec<String> = (50..55).map(|number| number.to_string()).collect();
        assert_eq!((count(&mine), count(&others)), (0, 0), "read again: {mine:?} {others:?}");
        for partition in 0..2 {
            let read = [values(&more, partition), values(&others_more, partition)].concat();
            assert_eq!(read, fresh, "turn {held}, partition {partition}");
        }
        first.close().await;
        second.close().await;
    }
}

pub(super) async fn a_named_instance_keeps_its_partitions_over_a_restart(stage: Stage) {
    let topic = stage.topic(2).await;
    let named = GroupSettings {
        instance: Some("here".to_owned()),
        session_timeout: Some(Duration::from_secs(20)),
        ..settings("named", &topic)
    };
    let mut before = join(&stage, named.clone());
    consume_until(&mut before, |member, _| member.assigned().len() == 2).await;
    let session = before.session_timeout();
    before.close().await;
    stage.fill(&topic, 1, 0..3).await;

    let mut after = join(&stage, named);
    let records = consume_until(&mut after, |_, records| count(records) == 3).await;
    after.close().await;

    // Only this program honours a member's own wish.
    assert_eq!(session, (stage.kind == Kind::Aquifer).then_some(Duration::from_secs(20)));
    assert_eq!(values(&records, 1), ["0", "1", "2"]);
}

pub(super) async fn a_pattern_follows_topics_that_come(stage: Stage) {
    let (first, other) = (stage.topic(1).await, stage.topic(1).await);
    let pattern = format!("({first}|{first}-later)");
    let subscription = Subscription::Pattern(pattern);
    let mut member = join(&stage, GroupSettings { subscription, ..settings("pattern", &first) });
    consume_until(&mut member, |member, _| member.assigned().len() == 1).await;

    let later = aquifer_client::NewTopic {
        name: format!("{first}-later"),
        partitions: Some(1),
        ..aquifer_client::NewTopic::default()
    };
    stage.client.create_topic(&later).await.expect("created");
    consume_until(&mut member, |member, _| member.assigned().len() == 2).await;

    assert!(member.assigned().iter().all(|(topic, _)| *topic != other.as_str()));
    member.close().await;
}

pub(super) async fn operators_see_and_move_offsets_of_groups_at_rest(stage: Stage) {
    let (client, group) = (&stage.client, "operated");
    let topic = stage.topic(2).await;
    stage.fill(&topic, 0, 0..10).await;
    let mut member = join(&stage, GroupSettings { commit: Commit::ByHand, ..settings(group, &topic) });
    consume_until(&mut member, |_, records| count(records) == 10).await;
    member.commit().await.expect("committed");
    let place = |index| (topic.as_str().into(), PartitionIndex(index));
    let back = [NewOffset::at(place(0), Offset(3))];

    let listed = client.groups().await.expect("groups");
    let active = client.describe_group(group).await.expect("described");
    let refused = client.set_group_offsets(group, &back).await.expect_err("it has a member");
    let kept = client.delete_group(group).await.expect_err("it has a member");
    member.close().await;
    let mut at_rest = client.describe_group(group).await.expect("described");
    while !at_rest.is_empty() {
        at_rest = client.describe_group(group).await.expect("described");
    }
    client.set_group_offsets(group, &back).await.expect("at rest");
    let moved = client.group_offsets(group).await.expect("offsets");
    client.delete_group_offsets(group, &[place(0)]).await.expect("at rest");
    let emptied = client.group_offsets(group).await.expect("offsets");
    client.delete_group(group).await.expect("at rest");
    let gone = client.describe_group(group).await.expect_err("gone");

    let found = listed.iter().find(|listing| listing.id == group).expect("listed");
    assert_eq!((found.kind, active.kind), (GroupKind::Consumer, GroupKind::Consumer));
    assert_eq!(active.members.len(), 1);
    assert_eq!(active.members[0].assigned[&topic].len(), 2);
    let code = refused.code();
    assert!(
        matches!(code, Some(ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::STALE_MEMBER_EPOCH)),
        "a member's offsets are its own: {refused}"
    );
    assert_eq!(kept.code(), Some(ErrorCode::NON_EMPTY_GROUP));
    assert_eq!(moved[&place(0)].offset, Offset(3));
    assert!(!emptied.contains_key(&place(0)), "{emptied:?}");
    assert_eq!(gone.code(), Some(ErrorCode::GROUP_ID_NOT_FOUND));
}
