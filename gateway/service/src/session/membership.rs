//! `Membership`: what a session asks of its group's coordinator, in the coordinator's words.

use std::collections::BTreeMap;
use std::time::Duration;

use aquifer_client::{Client, ClientError, Committer, NewOffset};
use aquifer_session::{Assignment, Beat, CommitAnswer, HeartbeatAnswer, Partitions, Positions, Session};
use aquifer_types::{PartitionIndex, TopicId, TopicPartition};
use aquifer_wire::messages::consumer_group_heartbeat_request::TopicPartitions;
use aquifer_wire::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use aquifer_wire::{ErrorCode, Text};

use super::names::Names;

/// Others wait for what a member is to give up no longer than this, however long its session lasts.
const REBALANCE_TIMEOUT_MS: i32 = 60_000;
/// Until the coordinator says how often it wants to hear from a member.
const FIRST_INTERVAL: Duration = Duration::from_secs(5);

const LEAVING: i32 = -1;
/// Leaves, and comes back under the same instance name.
const LEAVING_FOR_A_WHILE: i32 = -2;

/// One member's side of the protocol, for the length of a request.
pub(super) struct Membership {
    client: Client,
    pub(super) session: Session,
    /// How often the coordinator wants to hear from the member.
    pub(super) interval: Duration,
    /// How long the coordinator waits for this member, where it says so.
    pub(super) session_timeout_ms: Option<i32>,
}

impl Membership {
    pub(super) fn new(client: Client, session: Session) -> Membership {
        Membership { client, session, interval: FIRST_INTERVAL, session_timeout_ms: None }
    }

    /// Says everything each time, since nobody here knows what was said before.
    pub(super) async fn beat(&mut self, beat: &Beat) -> Result<HeartbeatAnswer, ClientError> {
        let Session { group, member, instance, topics, ttl_ms, .. } = &self.session;
        let heartbeat = ConsumerGroupHeartbeatRequest {
            group_id: Text::from(group.as_str()),
            member_id: Text::from(member.as_str()),
            member_epoch: beat.epoch,
            instance_id: instance.as_deref().map(Text::from),
            rebalance_timeout_ms: REBALANCE_TIMEOUT_MS.min(*ttl_ms),
            subscribed_topic_names: Some(topics.iter().map(|topic| Text::from(topic.as_str())).collect()),
            topic_partitions: Some(by_topic(&beat.owned)),
            session_timeout_ms: *ttl_ms,
            ..ConsumerGroupHeartbeatRequest::default()
        };
        match self.client.group_heartbeat(&heartbeat).await {
            Ok(answer) => Ok(self.take(&answer)),
            Err(error) if is_fenced(&error, beat.epoch) => Ok(HeartbeatAnswer::Fenced),
            Err(error) => Err(error),
        }
    }

    fn take(&mut self, answer: &ConsumerGroupHeartbeatResponse) -> HeartbeatAnswer {
        let interval = u64::try_from(answer.heartbeat_interval_ms).ok().filter(|millis| *millis > 0);
        self.interval = interval.map_or(FIRST_INTERVAL, Duration::from_millis);
        self.session_timeout_ms = Some(answer.session_timeout_ms).filter(|millis| *millis > 0);
        let partitions = answer.assignment.as_ref().map(|assignment| {
            let topics = assignment.topic_partitions.iter();
            let all = topics.flat_map(|topic| {
                let id = TopicId(topic.topic_id);
                let partitions = topic.partitions.iter();
                partitions.map(move |index| TopicPartition { topic: id, partition: PartitionIndex(*index) })
            });
            all.collect()
        });
        HeartbeatAnswer::Member(Assignment { epoch: answer.member_epoch, partitions })
    }

    pub(super) async fn committed(
        &self,
        names: &Names,
        partitions: &Partitions,
    ) -> Result<Positions, ClientError> {
        let named: BTreeMap<_, _> =
            partitions.iter().filter_map(|place| Some((names.place(*place)?, *place))).collect();
        let places: Vec<_> = named.keys().cloned().collect();
        let found = self.client.group_offsets_at(&self.session.group, &places).await?;
        Ok(found.iter().filter_map(|(place, at)| Some((*named.get(place)?, at.offset))).collect())
    }

    pub(super) async fn commit(
        &self,
        names: &Names,
        epoch: i32,
        offsets: &Positions,
    ) -> Result<CommitAnswer, ClientError> {
        let committer = Committer {
            member: Text::from(self.session.member.as_str()),
            instance: self.session.instance.as_deref().map(Text::from),
            epoch,
        };
        let named =
            offsets.iter().filter_map(|(place, offset)| Some(NewOffset::at(names.place(*place)?, *offset)));
        let named: Vec<_> = named.collect();
        match self.client.commit(&self.session.group, &committer, &named).await {
            Ok(()) => Ok(CommitAnswer::Taken),
            Err(error) => match error.code() {
                Some(ErrorCode::STALE_MEMBER_EPOCH) => Ok(CommitAnswer::Stale),
                _ if is_fenced(&error, epoch) => Ok(CommitAnswer::Fenced),
                _ => Err(error),
            },
        }
    }

    /// Who is not there any more has left.
    pub(super) async fn leave(&self) -> Result<(), ClientError> {
        let Session { group, member, instance, .. } = &self.session;
        let heartbeat = ConsumerGroupHeartbeatRequest {
            group_id: Text::from(group.as_str()),
            member_id: Text::from(member.as_str()),
            member_epoch: if instance.is_some() { LEAVING_FOR_A_WHILE } else { LEAVING },
            instance_id: instance.as_deref().map(Text::from),
            ..ConsumerGroupHeartbeatRequest::default()
        };
        match self.client.group_heartbeat(&heartbeat).await {
            Err(error) if !is_fenced(&error, LEAVING) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Whether the coordinator does not know the member, or not with this epoch. A group whose last member is gone is gone
/// with it if nothing was committed.
fn is_fenced(error: &ClientError, epoch: i32) -> bool {
    match error.code() {
        Some(
            ErrorCode::FENCED_MEMBER_EPOCH | ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION,
        ) => true,
        Some(ErrorCode::GROUP_ID_NOT_FOUND) => epoch != 0,
        _ => false,
    }
}

fn by_topic(partitions: &Partitions) -> Vec<TopicPartitions> {
    let mut topics: BTreeMap<TopicId, Vec<i32>> = BTreeMap::new();
    for place in partitions {
        topics.entry(place.topic).or_default().push(place.partition.0);
    }
    let topics = topics.into_iter();
    topics.map(|(topic, partitions)| TopicPartitions { topic_id: topic.0, partitions }).collect()
}
