//! Metadata: brokers, topics, partitions and leaders; makes topics that are missing where that is allowed.

use std::sync::Arc;

use aquifer_metadata::{Image, Partition, Topic};
use aquifer_types::{TopicId, TopicName};
use aquifer_wire::messages::metadata_request::MetadataRequestTopic;
use aquifer_wire::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use aquifer_wire::messages::{MetadataRequest, MetadataResponse};
use aquifer_wire::{ErrorCode, Text};

use super::create::{TopicPlan, create_topics_now};
use crate::broker::Broker;
use crate::service::Caller;

/// Up to this version an empty list asks for all topics.
const EMPTY_MEANS_ALL_UPTO: i16 = 0;

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
    let topics = match &asked {
        None => image.topics().map(|topic| describe(&image, topic)).collect(),
        Some(asked) => asked.iter().map(|asked| find(&image, asked)).collect(),
    };
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
        ..MetadataResponse::default()
    }
}

/// Makes the topics that are named and missing. Who asked sees in the answer what became of each.
async fn create_missing(broker: &Broker, asked: &[MetadataRequestTopic]) {
    let image = broker.image();
    let missing: Vec<TopicPlan> = asked
        .iter()
        .filter_map(|asked| asked.name.as_deref())
        .filter(|name| image.topic(name).is_none())
        .filter_map(|name| TopicName::new(name).ok())
        .filter(|name| !name.is_reserved())
        .map(|name| TopicPlan {
            name,
            partitions: broker.settings.default_partitions,
            replication: None,
            configs: Vec::new(),
        })
        .collect();
    if missing.is_empty() {
        return;
    }
    match create_topics_now(broker, missing).await {
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

fn describe_partition(image: &Image, index: i32, partition: &Partition) -> MetadataResponsePartition {
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
