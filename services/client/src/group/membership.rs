//! `Membership`: what a member owns, is to own, and has told its coordinator. Decides, and does nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aquifer_types::{PartitionIndex, TopicId};
use aquifer_wire::messages::consumer_group_heartbeat_request::TopicPartitions;
use aquifer_wire::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use aquifer_wire::{ErrorCode, Text};

use super::settings::{GroupSettings, Subscription};

/// Until the coordinator says how often it wants to hear from its members.
const FIRST_INTERVAL: Duration = Duration::from_secs(5);

/// Joins, or joins again.
const JOINING: i32 = 0;
const LEAVING: i32 = -1;
/// Leaves, and comes back under the same instance name.
const LEAVING_FOR_A_WHILE: i32 = -2;

pub(crate) type Partitions = BTreeSet<(TopicId, PartitionIndex)>;

/// One member's view of its group.
#[derive(Debug)]
pub(crate) struct Membership {
    group: Text,
    member: Text,
    instance: Option<Text>,
    rack: Option<Text>,
    assignor: Option<Text>,
    topics: Vec<Text>,
    pattern: Option<Text>,
    rebalance_timeout_ms: i32,
    session_timeout_ms: i32,
    epoch: i32,
    interval: Duration,
    session_timeout: Option<Duration>,
    owned: Partitions,
    target: Partitions,
    /// What the coordinator knows; nothing after an error, so that it is told everything again.
    told: Option<Partitions>,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Member,
    /// Whatever was owned is lost; the next heartbeat joins again.
    Fenced,
    /// To be asked again; `elsewhere` if another broker may be the coordinator.
    Again {
        elsewhere: bool,
    },
    Refused(ErrorCode),
}

impl Membership {
    /// A member that has not joined. Its id is its own choice.
    pub(crate) fn new(settings: &GroupSettings, member: &str) -> Membership {
        let text = |value: &Option<String>| value.as_deref().map(Text::from);
        let (topics, pattern) = match &settings.subscription {
            Subscription::Topics(names) => {
                (names.iter().map(|name| Text::from(name.as_str())).collect(), None)
            }
            Subscription::Pattern(pattern) => (Vec::new(), Some(Text::from(pattern.as_str()))),
        };
        Membership {
            group: Text::from(settings.group.as_str()),
            member: Text::from(member),
            instance: text(&settings.instance),
            rack: text(&settings.rack),
            assignor: text(&settings.assignor),
            topics,
            pattern,
            rebalance_timeout_ms: millis(settings.rebalance_timeout),
            session_timeout_ms: settings.session_timeout.map_or(-1, millis),
            epoch: JOINING,
            interval: FIRST_INTERVAL,
            session_timeout: None,
            owned: Partitions::new(),
            target: Partitions::new(),
            told: None,
        }
    }

    /// The next heartbeat: everything at first and after an error, else only what changed.
    pub(crate) fn heartbeat(&self) -> ConsumerGroupHeartbeatRequest {
        let everything = self.told.is_none();
        let owned = (self.told.as_ref() != Some(&self.owned)).then(|| by_topic(&self.owned));
        ConsumerGroupHeartbeatRequest {
            group_id: self.group.clone(),
            member_id: self.member.clone(),
            member_epoch: self.epoch,
            instance_id: self.instance.clone(),
            rack_id: self.rack.clone().filter(|_| everything),
            rebalance_timeout_ms: if everything { self.rebalance_timeout_ms } else { -1 },
            subscribed_topic_names: everything.then(|| self.topics.clone()),
            subscribed_topic_regex: self.pattern.clone().filter(|_| everything),
            server_assignor: self.assignor.clone().filter(|_| everything),
            topic_partitions: owned,
            session_timeout_ms: if everything { self.session_timeout_ms } else { -1 },
        }
    }

    /// The last heartbeat.
    pub(crate) fn farewell(&self) -> ConsumerGroupHeartbeatRequest {
        let leaving = if self.instance.is_some() { LEAVING_FOR_A_WHILE } else { LEAVING };
        ConsumerGroupHeartbeatRequest {
            group_id: self.group.clone(),
            member_id: self.member.clone(),
            member_epoch: leaving,
            instance_id: self.instance.clone(),
            ..ConsumerGroupHeartbeatRequest::default()
        }
    }

    /// Takes in the answer to the last heartbeat.
    pub(crate) fn take(&mut self, response: &ConsumerGroupHeartbeatResponse) -> Verdict {
        match response.error_code {
            ErrorCode::NONE => {}
            ErrorCode::FENCED_MEMBER_EPOCH | ErrorCode::UNKNOWN_MEMBER_ID => {
                self.fence();
                return Verdict::Fenced;
            }
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => {
                self.told = None;
                return Verdict::Again { elsewhere: false };
            }
            code if code.retriable() => {
                self.told = None;
                return Verdict::Again { elsewhere: true };
            }
            code => return Verdict::Refused(code),
        }
        if let Some(member) = &response.member_id {
            self.member = member.detached();
        }
        self.epoch = response.member_epoch;
        self.interval = duration(response.heartbeat_interval_ms).unwrap_or(FIRST_INTERVAL);
        if let Some(timeout) = duration(response.session_timeout_ms) {
            self.session_timeout = Some(timeout);
        }
        self.told = Some(self.owned.clone());
        if let Some(assignment) = &response.assignment {
            let topics = assignment.topic_partitions.iter();
            let all = topics.flat_map(|topic| {
                topic.partitions.iter().map(|index| (TopicId(topic.topic_id), PartitionIndex(*index)))
            });
            self.target = all.collect();
        }
        Verdict::Member
    }

    /// The last heartbeat was not answered: nobody knows what the coordinator knows.
    pub(crate) fn unheard(&mut self) {
        self.told = None;
    }

    fn fence(&mut self) {
        self.epoch = JOINING;
        self.owned.clear();
        self.target.clear();
        self.told = None;
    }

    /// What is to be given up before anything is taken.
    pub(crate) fn to_release(&self) -> Partitions {
        self.owned.difference(&self.target).copied().collect()
    }

    /// What is to be taken.
    pub(crate) fn to_take(&self) -> Partitions {
        self.target.difference(&self.owned).copied().collect()
    }

    pub(crate) fn release(&mut self, partitions: &Partitions) {
        self.owned.retain(|partition| !partitions.contains(partition));
    }

    pub(crate) fn own(&mut self, partitions: impl IntoIterator<Item = (TopicId, PartitionIndex)>) {
        self.owned.extend(partitions);
    }

    pub(crate) fn owned(&self) -> &Partitions {
        &self.owned
    }

    /// Whether the coordinator is to be told at once.
    pub(crate) fn has_news(&self) -> bool {
        self.told.as_ref() != Some(&self.owned)
    }

    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    pub(crate) fn member(&self) -> &Text {
        &self.member
    }

    pub(crate) fn epoch(&self) -> i32 {
        self.epoch
    }

    /// How long the coordinator waits for this member, where it said so.
    pub(crate) fn session_timeout(&self) -> Option<Duration> {
        self.session_timeout
    }
}

fn by_topic(partitions: &Partitions) -> Vec<TopicPartitions> {
    let mut topics: BTreeMap<TopicId, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        topics.entry(*topic).or_default().push(partition.0);
    }
    let topics = topics.into_iter();
    topics.map(|(topic, partitions)| TopicPartitions { topic_id: topic.0, partitions }).collect()
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

fn duration(millis: i32) -> Option<Duration> {
    u64::try_from(millis).ok().filter(|millis| *millis > 0).map(Duration::from_millis)
}
