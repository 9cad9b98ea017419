//! AquiferTier: what partitions have on local disk and in the tier; or everything is uploaded before the answer comes.

use std::sync::Arc;
use std::time::Duration;

use aquifer_metadata::{Image, Topic};
use aquifer_replica::Replica;
use aquifer_runtime::Monotonic;
use aquifer_types::{Offset, TimestampMs};
use aquifer_wire::messages::aquifer_tier_response::{TieredPartition, TieredTopic};
use aquifer_wire::messages::{AquiferTierRequest, AquiferTierResponse};
use aquifer_wire::{ErrorCode, Text};

use super::undelete::undelete;
use crate::broker::Broker;
use crate::tier::Tier;

/// Close what takes appends, upload everything, and answer then.
const FLUSH: i8 = 1;
/// Bring deleted topics back, or only say what would come back.
const UNDELETE: i8 = 2;
const UNDELETE_TRY: i8 = 3;
/// How often uploads are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A replica, and how far it must be in the tier.
type Goal = (Arc<Replica>, Offset);

pub(crate) async fn aquifer_tier(broker: &Arc<Broker>, request: AquiferTierRequest) -> AquiferTierResponse {
    let Some(tier) = &broker.tier else {
        return AquiferTierResponse {
            error_code: ErrorCode::INVALID_REQUEST,
            error_message: Some(Text::from_static(
                "this broker has no tier: set tier.url in its configuration",
            )),
            ..AquiferTierResponse::default()
        };
    };
    if matches!(request.action, FLUSH | UNDELETE)
        && let Some(refusal) = broker.refusal()
    {
        return AquiferTierResponse {
            error_code: ErrorCode::INVALID_REQUEST,
            error_message: Some(refusal.message),
            ..AquiferTierResponse::default()
        };
    }
    if matches!(request.action, UNDELETE | UNDELETE_TRY) {
        return undelete(broker, tier, request.topics.unwrap_or_default(), request.action == UNDELETE).await;
    }
    let image = broker.image();
    let topics: Vec<(Text, Option<Arc<Topic>>)> = match request.topics {
        Some(names) => names.into_iter().map(|name| (name.detached(), image.topic(&name).cloned())).collect(),
        None => {
            let all = image.topics().filter(|topic| !topic.is_internal());
            all.map(|topic| (Text::from(topic.name().as_str()), Some(topic.clone()))).collect()
        }
    };
    let mut response = AquiferTierResponse {
        error_message: None,
        url: Some(Text::from(tier.settings.url.as_str())),
        ..AquiferTierResponse::default()
    };
    if request.action == FLUSH {
        let patience = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        let goals = broker.goals(topics.iter().filter_map(|(_, topic)| topic.as_deref()));
        let deadline = broker.runtime.now().monotonic.plus(patience);
        if !(broker.upload_all(goals, deadline).await && broker.tell_state(tier, deadline).await) {
            response.error_code = ErrorCode::REQUEST_TIMED_OUT;
            response.error_message = Some(Text::from_static(
                "not everything is in the tier yet; see aquifer_tier_* in /metrics, and ask again",
            ));
        }
    }
    let image = broker.image();
    response.topics =
        topics.into_iter().map(|(name, topic)| broker.tiered_topic(&image, name, topic)).collect();
    response
}

impl Broker {
    /// Closes what takes appends; everything that is committed now shall be uploaded.
    fn goals<'a>(&self, topics: impl Iterator<Item = &'a Topic>) -> Vec<Goal> {
        let replicas = topics.flat_map(|topic| self.replicas.of_topic(topic.id()));
        let goals = replicas.filter(|replica| replica.is_tiered()).map(|replica| {
            let upto = replica.describe().high_watermark;
            replica.close_older(TimestampMs(i64::MAX), 0, u64::MAX);
            (replica, upto)
        });
        goals.collect()
    }

    /// `true` once all goals are reached, `false` if the deadline comes first.
    async fn upload_all(&self, mut goals: Vec<Goal>, deadline: Monotonic) -> bool {
        loop {
            let image = self.image();
            goals.retain(|(replica, upto)| {
                image.partition(replica.id()).is_some() && self.tier_end(&image, replica) < *upto
            });
            if goals.is_empty() {
                return true;
            }
            if deadline.since(self.runtime.now().monotonic).is_zero() || self.stop.is_given() {
                return false;
            }
            if let Some(tier) = &self.tier {
                tier.hurry.notify_one();
            }
            self.runtime.sleep(LOOK_AGAIN).await;
        }
    }

    /// What is uploaded is of use to a restore only with what says whose it is.
    async fn tell_state(&self, tier: &Tier, deadline: Monotonic) -> bool {
        while let Err(error) = self.write_state(tier, true).await {
            tracing::warn!(%error, "the cluster's state is not in the tier yet");
            if deadline.since(self.runtime.now().monotonic).is_zero() || self.stop.is_given() {
                return false;
            }
            self.runtime.sleep(LOOK_AGAIN).await;
        }
        true
    }

    fn tiered_topic(&self, image: &Image, name: Text, topic: Option<Arc<Topic>>) -> TieredTopic {
        let Some(topic) = topic else {
            let error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            return TieredTopic { name, error_code, ..TieredTopic::default() };
        };
        let partitions = topic.partitions().map(|(index, _)| {
            let at = topic.at(index);
            let Some(replica) = self.replica(at) else {
                return TieredPartition {
                    partition_index: index.0,
                    error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER,
                    ..TieredPartition::default()
                };
            };
            let log = replica.describe();
            let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
            let tier = image.tier(at);
            TieredPartition {
                partition_index: index.0,
                error_code: ErrorCode::NONE,
                log_start: log.log_start.0,
                local_start: log.local_start.0,
                tier_end: self.tier_end(image, &replica).0,
                high_watermark: log.high_watermark.0,
                local_bytes: bytes(log.bytes),
                tier_bytes: tier.map_or(0, |tier| bytes(tier.live_bytes())),
                objects: tier.map_or(0, |tier| i32::try_from(tier.live().len()).unwrap_or(i32::MAX)),
            }
        });
        TieredTopic {
            name,
            error_code: ErrorCode::NONE,
            tiered: topic.config().tiered,
            partitions: partitions.collect(),
        }
    }
}
