//! What a member says in its heartbeats, and what answers make of it.

use aquifer_types::{PartitionIndex, TopicId, Uuid};
use aquifer_wire::messages::ConsumerGroupHeartbeatResponse;
use aquifer_wire::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use aquifer_wire::{ErrorCode, Text};

use super::membership::{Membership, Partitions, Verdict};
use super::settings::{GroupSettings, Subscription};

const TOPIC: Uuid = Uuid::from_bytes([7; 16]);

fn member() -> Membership {
    let subscription = Subscription::Topics(vec!["orders".to_owned()]);
    Membership::new(&GroupSettings::new("group", subscription), "me")
}

fn assigned(epoch: i32, partitions: &[i32]) -> ConsumerGroupHeartbeatResponse {
    let topic = TopicPartitions { topic_id: TOPIC, partitions: partitions.to_vec() };
    ConsumerGroupHeartbeatResponse {
        member_id: Some(Text::from_static("me")),
        member_epoch: epoch,
        heartbeat_interval_ms: 3_000,
        assignment: Some(Assignment { topic_partitions: vec![topic] }),
        ..ConsumerGroupHeartbeatResponse::default()
    }
}

fn refused(error_code: ErrorCode) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse { error_code, ..ConsumerGroupHeartbeatResponse::default() }
}

fn of(partitions: &[i32]) -> Partitions {
    partitions.iter().map(|index| (TopicId(TOPIC), PartitionIndex(*index))).collect()
}

/// A member that owns partitions 0 and 1.
fn settled() -> Membership {
    let mut member = member();
    member.take(&assigned(1, &[0, 1]));
    member.own(member.to_take());
    member.take(&ConsumerGroupHeartbeatResponse { assignment: None, ..assigned(1, &[]) });
    member
}

#[test]
fn a_member_says_everything_when_it_joins_and_then_only_what_changed() {
    let mut member = member();

    let joining = member.heartbeat();
    member.take(&assigned(1, &[0, 1]));
    let waiting = member.heartbeat();
    member.own(member.to_take());
    let owning = member.heartbeat();

    assert_eq!(joining.member_epoch, 0);
    assert_eq!(joining.subscribed_topic_names, Some(vec![Text::from_static("orders")]));
    assert_eq!(joining.topic_partitions, Some(Vec::new()));
    assert_eq!(
        (waiting.member_epoch, waiting.subscribed_topic_names, waiting.topic_partitions),
        (1, None, None)
    );
    assert_eq!(owning.topic_partitions.map(|topics| topics[0].partitions.clone()), Some(vec![0, 1]));
}

#[test]
fn partitions_are_given_up_before_others_are_taken() {
    let mut member = settled();

    member.take(&assigned(2, &[1, 2]));

    assert_eq!((member.to_release(), member.to_take()), (of(&[0]), of(&[2])));
    member.release(&of(&[0]));
    assert!(member.has_news());
    assert_eq!(member.heartbeat().topic_partitions.map(|topics| topics[0].partitions.clone()), Some(vec![1]));
}

#[test]
fn a_fenced_member_owns_nothing_and_joins_again_under_its_name() {
    let mut member = settled();

    let verdict = member.take(&refused(ErrorCode::FENCED_MEMBER_EPOCH));

    assert_eq!(verdict, Verdict::Fenced);
    let again = member.heartbeat();
    assert_eq!((again.member_epoch, again.topic_partitions), (0, Some(Vec::new())));
    assert_eq!(again.member_id, "me");
    assert!(member.owned().is_empty());
}

#[test]
fn a_lost_answer_makes_the_next_heartbeat_say_everything() {
    let mut member = settled();

    member.unheard();

    let next = member.heartbeat();
    assert_eq!(next.member_epoch, 1);
    assert!(next.subscribed_topic_names.is_some() && next.topic_partitions.is_some());
    assert!(next.rebalance_timeout_ms > 0);
}

#[test]
fn errors_are_told_apart() {
    for (code, verdict) in [
        (ErrorCode::NOT_COORDINATOR, Verdict::Again { elsewhere: true }),
        (ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, Verdict::Again { elsewhere: false }),
        (ErrorCode::UNKNOWN_MEMBER_ID, Verdict::Fenced),
        (ErrorCode::GROUP_AUTHORIZATION_FAILED, Verdict::Refused(ErrorCode::GROUP_AUTHORIZATION_FAILED)),
        (ErrorCode::UNRELEASED_INSTANCE_ID, Verdict::Refused(ErrorCode::UNRELEASED_INSTANCE_ID)),
    ] {
        assert_eq!(settled().take(&refused(code)), verdict, "{code}");
    }
}

#[test]
fn a_named_instance_leaves_for_a_while_and_others_for_good() {
    let settings = GroupSettings::new("group", Subscription::Pattern("or.*".to_owned()));
    let named = GroupSettings { instance: Some("here".to_owned()), ..settings.clone() };

    assert_eq!(Membership::new(&settings, "me").farewell().member_epoch, -1);
    assert_eq!(Membership::new(&named, "me").farewell().member_epoch, -2);
}
