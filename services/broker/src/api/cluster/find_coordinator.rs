//! FindCoordinator: which broker a group's members talk to.

use std::sync::Arc;

use aquifer_coordinator::{OFFSETS_TOPIC, partition_of};
use aquifer_metadata::{ConfigSetting, CreateTopicRefusal, Image, NewTopic, Topic};
use aquifer_types::{PartitionIndex, TopicName};
use aquifer_wire::messages::find_coordinator_response::Coordinator;
use aquifer_wire::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use aquifer_wire::{ErrorCode, Text};

use crate::api::topics::create;
use crate::broker::Broker;
use crate::refusal::Refused;
use crate::service::Caller;

/// As many as Kafka has, so that a group lives in the same partition; fixed once the topic is made.
const OFFSETS_PARTITIONS: usize = 50;
/// Small segments are cleaned sooner, and a start reads less.
const OFFSETS_SEGMENT_BYTES: &str = "104857600";
/// Kafka's numbers of what a coordinator coordinates.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
/// From this version on a request names several keys, and the answer has one part for each.
const SEVERAL_FROM: i16 = 4;

/// Where a coordinator is.
struct Address {
    node_id: i32,
    host: Text,
    port: i32,
}

pub(crate) async fn find_coordinator(
    broker: &Broker,
    caller: &Caller,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let groups = ready(broker, request.key_type).await;
    let image = broker.image();
    let find = |key: &Text| {
        let topic = groups.as_ref().map_err(Clone::clone)?;
        leader(&image, topic, key, caller.listener())
    };
    if caller.version >= SEVERAL_FROM {
        let coordinators = request.coordinator_keys.into_iter().map(|key| {
            let found = find(&key);
            coordinator(key, found)
        });
        return FindCoordinatorResponse {
            coordinators: coordinators.collect(),
            ..FindCoordinatorResponse::default()
        };
    }
    let found = find(&request.key);
    let Coordinator { node_id, host, port, error_code, error_message, .. } = coordinator(request.key, found);
    FindCoordinatorResponse {
        error_code,
        error_message,
        node_id,
        host,
        port,
        ..FindCoordinatorResponse::default()
    }
}

/// The topic that holds what is to be coordinated; it is made when it is asked for first.
async fn ready(broker: &Broker, kind: i8) -> Result<Arc<Topic>, Refused> {
    match kind {
        GROUP => broker.offsets_topic().await,
        TRANSACTION => Err(Refused::invalid_request("transactions are not supported")),
        SHARE => Err(Refused::invalid_request("share groups are not supported")),
        other => Err(Refused::invalid_request(format!("there are no coordinators of type {other}"))),
    }
}

/// The broker that leads the group's partition, where callers of this listener reach it.
fn leader(image: &Image, topic: &Topic, group: &str, listener: &str) -> Result<Address, Refused> {
    let index = PartitionIndex(partition_of(group, topic.partition_count()));
    let leader = topic.partition(index).and_then(|partition| image.broker(partition.leader()?));
    let leader = leader.filter(|leader| !leader.fenced).ok_or_else(|| {
        Refused::new(
            ErrorCode::COORDINATOR_NOT_AVAILABLE,
            "the group's partition has no leader; try again later",
        )
    })?;
    let endpoint = leader.endpoint(listener).ok_or_else(|| {
        Refused::new(ErrorCode::COORDINATOR_NOT_AVAILABLE, "the coordinator has no address on this listener")
    })?;
    let host = Text::from(endpoint.host.as_str());
    Ok(Address { node_id: leader.node.0, host, port: i32::from(endpoint.port) })
}

fn coordinator(key: Text, found: Result<Address, Refused>) -> Coordinator {
    match found {
        Ok(Address { node_id, host, port }) => {
            Coordinator { key, node_id, host, port, error_code: ErrorCode::NONE, error_message: None }
        }
        Err(refused) => Coordinator {
            key,
            node_id: -1,
            host: Text::EMPTY,
            port: -1,
            error_code: refused.code,
            error_message: Some(refused.message),
        },
    }
}

impl Broker {
    /// `__consumer_offsets`, made if it is not there.
    async fn offsets_topic(&self) -> Result<Arc<Topic>, Refused> {
        let image = self.image();
        if let Some(topic) = image.topic(OFFSETS_TOPIC) {
            return Ok(topic.clone());
        }
        let setting =
            |name: &str, value: &str| ConfigSetting { name: name.to_owned(), value: Some(value.to_owned()) };
        let mut configs = vec![
            setting("cleanup.policy", "compact"),
            setting("compression.type", "producer"),
            setting("segment.bytes", OFFSETS_SEGMENT_BYTES),
        ];
        configs.extend(self.tier.as_ref().map(|_| setting("remote.storage.enable", "true")));
        let topic = NewTopic {
            configs,
            ..self.default_topic(&image, TopicName::new(OFFSETS_TOPIC)?, OFFSETS_PARTITIONS)?
        };
        match create(self, vec![topic]).await {
            Ok(outcomes) => match outcomes.into_iter().next() {
                // Somebody else was quicker.
                Some(Ok(()) | Err(CreateTopicRefusal::Exists(_))) | None => {}
                Some(Err(refusal)) => return Err(refusal.into()),
            },
            Err(error) => {
                let message = format!("{OFFSETS_TOPIC} cannot be made: {error}");
                return Err(Refused::new(ErrorCode::COORDINATOR_NOT_AVAILABLE, message));
            }
        }
        let image = self.image();
        let made = image.topic(OFFSETS_TOPIC).cloned();
        made.ok_or_else(|| Refused::new(ErrorCode::COORDINATOR_NOT_AVAILABLE, "try again"))
    }
}
