//! `GroupSettings`: which group, which topics, and who commits when.

use std::time::Duration;

use crate::consumer::Start;

/// How to be a member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    pub group: String,
    pub subscription: Subscription,
    /// A name that stays over restarts; partitions then wait for its return until the session is over.
    pub instance: Option<String>,
    pub rack: Option<String>,
    /// The coordinator's way of sharing out; its default if absent.
    pub assignor: Option<String>,
    /// How long giving up partitions may take.
    pub rebalance_timeout: Duration,
    /// How long the coordinator waits for a heartbeat; the group's own if absent. Only some brokers honour it.
    pub session_timeout: Option<Duration>,
    pub commit: Commit,
    /// Where to begin in partitions of which the group has no offset.
    pub start: Start,
}

/// Which topics to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscription {
    Topics(Vec<String>),
    /// Those whose whole name matches, found by the broker.
    Pattern(String),
}

/// When the offsets of what was consumed are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// By [`crate::GroupConsumer::commit`] alone.
    ByHand,
    /// So often, before partitions are given up, and at the end.
    Every(Duration),
}

impl GroupSettings {
    /// A group's settings with everything else as most want it.
    #[must_use]
    pub fn new(group: &str, subscription: Subscription) -> GroupSettings {
        GroupSettings {
            group: group.to_owned(),
            subscription,
            instance: None,
            rack: None,
            assignor: None,
            rebalance_timeout: Duration::from_secs(60),
            session_timeout: None,
            commit: Commit::Every(Duration::from_secs(5)),
            start: Start::Latest,
        }
    }
}
