//! `HandMember`: a member of a consumer group that says what it is told to say, when it is told to.

use std::time::Duration;

use anyhow::{Result, ensure};
use aquifer_client::Connection;
use aquifer_runtime::Runtime;
use aquifer_types::TopicId;
use aquifer_wire::messages::consumer_group_heartbeat_request::TopicPartitions;
use aquifer_wire::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use aquifer_wire::{ErrorCode, Text};

use crate::work::TestTopic;

const REBALANCE_TIMEOUT_MS: i32 = 60_000;
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// A member that takes at once whatever it is given, and gives up whatever it is not.
pub(super) struct HandMember {
    group: Text,
    id: Text,
    topic: Text,
    topic_id: TopicId,
    epoch: i32,
    owned: Vec<i32>,
    /// Whether the coordinator knows what is owned.
    told: bool,
    interval: Duration,
}

impl HandMember {
    pub(super) fn new(runtime: &Runtime, group: &str, topic: &TestTopic) -> HandMember {
        HandMember {
            group: Text::from(group),
            id: Text::from(runtime.random_uuid().to_string()),
            topic: topic.name.clone(),
            topic_id: topic.id,
            epoch: 0,
            owned: Vec::new(),
            told: false,
            interval: Duration::ZERO,
        }
    }

    /// Sends a heartbeat and takes in the answer; again while the coordinator cannot say.
    pub(super) async fn beat(&mut self, runtime: &Runtime, connection: &Connection) -> Result<()> {
        loop {
            let response = connection.call(&self.heartbeat()).await?;
            if response.error_code.retriable() {
                runtime.sleep(RETRY_INTERVAL).await;
                continue;
            }
            return self.hear(&response);
        }
    }

    pub(super) async fn leave(&self, connection: &Connection) -> Result<()> {
        let farewell = ConsumerGroupHeartbeatRequest {
            group_id: self.group.clone(),
            member_id: self.id.clone(),
            member_epoch: -1,
            ..ConsumerGroupHeartbeatRequest::default()
        };
        let code = connection.call(&farewell).await?.error_code;
        ensure!(code.is_none(), "leave the group: {code}");
        Ok(())
    }

    fn heartbeat(&self) -> ConsumerGroupHeartbeatRequest {
        let joins = self.epoch == 0;
        let owned = TopicPartitions { topic_id: self.topic_id.0, partitions: self.owned.clone() };
        let owned = if self.owned.is_empty() { Vec::new() } else { vec![owned] };
        ConsumerGroupHeartbeatRequest {
            group_id: self.group.clone(),
            member_id: self.id.clone(),
            member_epoch: self.epoch,
            rebalance_timeout_ms: if joins { REBALANCE_TIMEOUT_MS } else { -1 },
            subscribed_topic_names: joins.then(|| vec![self.topic.clone()]),
            topic_partitions: (!self.told).then_some(owned),
            ..ConsumerGroupHeartbeatRequest::default()
        }
    }

    fn hear(&mut self, response: &ConsumerGroupHeartbeatResponse) -> Result<()> {
        let code: ErrorCode = response.error_code;
        ensure!(code.is_none(), "heartbeat: {code}");
        self.epoch = response.member_epoch;
        self.interval = Duration::from_millis(u64::try_from(response.heartbeat_interval_ms)?);
        self.told = true;
        if let Some(assignment) = &response.assignment {
            let topics = assignment.topic_partitions.iter();
            let given: Vec<i32> = topics.flat_map(|topic| topic.partitions.iter().copied()).collect();
            self.told = given == self.owned;
            self.owned = given;
        }
        Ok(())
    }

    pub(super) fn id(&self) -> &Text {
        &self.id
    }

    pub(super) fn epoch(&self) -> i32 {
        self.epoch
    }

    pub(super) fn owned(&self) -> usize {
        self.owned.len()
    }

    /// Whether the coordinator is to be told at once of what is owned.
    pub(super) fn has_news(&self) -> bool {
        !self.told
    }

    /// How often the coordinator wants to hear from it.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }
}
