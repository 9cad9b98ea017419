//! Metadata: brokers, topics, partitions and leaders; makes topics that are missing where that is allowed.

use std::collections::BTreeSet;
use std::sync::Arc;

use aquifer_metadata::{Image, NewTopic, Partition, Topic};
use aquifer_types::{TopicId, TopicName};
use aquifer_wire::messages::metadata_request::MetadataRequestTopic;
use aquifer_wire::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use aquifer_wire::messages::{MetadataRequest, MetadataResponse};
use aquifer_wire::{ErrorCode, Text};

use super::create::create;
use crate::api::operations::{CLUSTER_OPERATIONS, TOPIC_OPERATIONS};
use crate::broker::Broker;
use crate::service::Caller;

/// Up to this version an empty list asks for all topics.
const EMPTY_MEANS_ALL_UPTO: i16 = 0;
/// From this version on a topic's name may be null.
const NULL_NAME_FROM: i16 = 12;
/// How many topics one request makes; who names more asks again.
const CREATED_MAX: usize = 1_000;

pub(crate) async fn metadata(
    broker: &Arc<Broker>,
    caller: &Caller,
    request: MetadataRequest,
) -> MetadataResponse {
    let asked =
        request.topics.filter(|topics| !(topics.is_empty() && caller.version <= EMPTY_MEANS_ALL_UPTO));
    if let Some(asked) = &asked
        && request.allow_auto_topic_creation
        && broker.settings.auto_create_topics
    {
        create_missing(broker, asked).await;
    }
    let image = broker.image();
    let mut topics: Vec<MetadataResponseTopic> = match &asked {
        None => image.topics().map(|topic| describe(&image, topic)).collect(),
        Some(asked) => {
            // A topic that is named often is described once, so that the answer is not larger than the cluster.
            let mut seen = BTreeSet::new();
            let once = asked.iter().filter(|asked| seen.insert((&asked.name, asked.topic_id)));
            once.map(|asked| find(&image, asked)).collect()
        }
    };
    if request.include_topic_authorized_operations {
        for topic in topics.iter_mut().filter(|topic| topic.error_code.is_none()) {
            topic.topic_authorized_operations = TOPIC_OPERATIONS;
        }
    }
    if caller.version < NULL_NAME_FROM {
        for topic in &mut topics {
            topic.name.get_or_insert_default();
        }
    }
    let brokers = image.live_brokers().filter_map(|live| {
        let endpoint = live.endpoint(caller.listener())?;
        Some(MetadataResponseBroker {
            node_id: live.node.0,
            host: Text::from(endpoint.host.as_str()),
            port: i32::from(endpoint.port),
            rack: live.rack.as_deref().map(Text::from),
        })
    });
    MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(Text::from(broker.cluster.to_string())),
        controller_id: broker.run.node.0,
        topics,
        cluster_authorized_operations: if request.include_cluster_authorized_operations {
            CLUSTER_OPERATIONS
        } else {
            i32::MIN
        },
        ..MetadataResponse::default()
    }
}

/// Makes the topics that are named and missing. Who asked sees in the answer what became of each.
async fn create_missing(broker: &Broker, asked: &[MetadataRequestTopic]) {
    let image = broker.image();
    let partitions = usize::try_from(broker.settings.default_partitions).unwrap_or(1);
    let names: BTreeSet<&str> = asked.iter().filter_map(|asked| asked.name.as_deref()).collect();
    let missing: Vec<NewTopic> = names
        .into_iter()
        .filter(|name| image.topic(name).is_none())
        .filter_map(|name| TopicName::new(name).ok())
        .filter(|name| !name.is_reserved())
        .take(CREATED_MAX)
        .filter_map(|name| broker.default_topic(&image, name, partitions).ok())
        .map(|topic| NewTopic { configs: broker.auto_configs(), ..topic })
        .collect();
    if missing.is_empty() {
        return;
    }
    match create(broker, missing).await {
        Ok(outcomes) => {
            for refusal in outcomes.into_iter().filter_map(Result::err) {
                tracing::info!(%refusal, "topic not made on demand");
            }
        }
        Err(error) => tracing::warn!(%error, "topics not made on demand"),
    }
}

fn find(image: &Image, asked: &MetadataRequestTopic) -> MetadataResponseTopic {
    let by_id = !asked.topic_id.is_zero();
    let found = match &asked.name {
        Some(name) if !by_id => image.topic(name),
        _ => image.topic_by_id(TopicId(asked.topic_id)),
    };
    match found {
        Some(topic) => describe(image, topic),
        None => {
            let error_code = match &asked.name {
                _ if by_id => ErrorCode::UNKNOWN_TOPIC_ID,
                Some(name) if TopicName::new(name).is_ok() => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                _ => ErrorCode::INVALID_TOPIC_EXCEPTION,
            };
            MetadataResponseTopic {
                error_code,
                name: asked.name.clone(),
                topic_id: asked.topic_id,
                ..MetadataResponseTopic::default()
            }
        }
    }
}

fn describe(image: &Image, topic: &Topic) -> MetadataResponseTopic {
    let partitions =
        topic.partitions().map(|(index, partition)| describe_partition(image, index.0, partition));
    MetadataResponseTopic {
        name: Some(Text::from(topic.name().as_str())),
        topic_id: topic.id().0,
        is_internal: topic.is_internal(),
        partitions: partitions.collect(),
        ..MetadataResponseTopic::default()
    }
}

pub(super) fn describe_partition(
    image: &Image,
    index: i32,
    partition: &Partition,
) -> MetadataResponsePartition {
    let is_live = |node| image.broker(node).is_some_and(|broker| !broker.fenced);
    let nodes = partition.replicas().iter().map(|replica| replica.node);
    let leader = partition.leader().filter(|leader| is_live(*leader));
    MetadataResponsePartition {
        error_code: if leader.is_some() { ErrorCode::NONE } else { ErrorCode::LEADER_NOT_AVAILABLE },
        partition_index: index,
        leader_id: leader.map_or(-1, |leader| leader.0),
        leader_epoch: partition.leader_epoch().0,
        replica_nodes: nodes.clone().map(|node| node.0).collect(),
        isr_nodes: partition.isr().map(|node| node.0).collect(),
        offline_replicas: nodes.filter(|node| !is_live(*node)).map(|node| node.0).collect(),
    }
}
