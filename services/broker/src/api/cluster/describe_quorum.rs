//! DescribeQuorum: who leads the metadata log, and how far it is.

use std::sync::Arc;

use aquifer_metadata::{Broker as Registered, Image};
use aquifer_types::Uuid;
use aquifer_wire::messages::describe_quorum_request::{
    PartitionData as AskedPartition, TopicData as AskedTopic,
};
use aquifer_wire::messages::describe_quorum_response::{
    Listener, Node, PartitionData, ReplicaState, TopicData,
};
use aquifer_wire::messages::{DescribeQuorumRequest, DescribeQuorumResponse};
use aquifer_wire::{ErrorCode, Text};

use crate::broker::Broker;

/// Kafka's name of the metadata log, which has one partition.
const METADATA_TOPIC: &str = "__cluster_metadata";
/// From this version on the answer has the voters' directories and addresses.
const ADDRESSES_FROM: i16 = 2;

pub(crate) fn describe_quorum(
    broker: &Broker,
    version: i16,
    request: DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    let image = broker.image();
    let topics = request.topics.into_iter().map(|topic: AskedTopic| {
        let is_metadata = topic.topic_name == METADATA_TOPIC;
        let describe = |asked: &AskedPartition| {
            if is_metadata && asked.partition_index == 0 {
                describe(broker, version)
            } else {
                let error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
                refused(asked.partition_index, error_code, "only the metadata log has a quorum")
            }
        };
        let partitions = topic.partitions.iter().map(describe).collect();
        TopicData { topic_name: topic.topic_name, partitions }
    });
    DescribeQuorumResponse {
        topics: topics.collect(),
        error_message: None,
        nodes: if version >= ADDRESSES_FROM { nodes(broker, &image) } else { Vec::new() },
        ..DescribeQuorumResponse::default()
    }
}

fn describe(broker: &Broker, version: i16) -> PartitionData {
    let metrics = broker.quorum.metrics();
    let Some(leader) = metrics.leader else {
        return refused(0, ErrorCode::LEADER_NOT_AVAILABLE, "an election is going on");
    };
    let end = |last: Option<u64>| last.map_or(0, |last| i64::try_from(last + 1).unwrap_or(i64::MAX));
    let now = broker.runtime.now().wall.0;
    let voter = ReplicaState {
        replica_id: broker.run.node.0,
        replica_directory_id: if version >= ADDRESSES_FROM { broker.directory_id.0 } else { Uuid::ZERO },
        log_end_offset: end(metrics.last_log),
        last_fetch_timestamp: now,
        last_caught_up_timestamp: now,
    };
    PartitionData {
        partition_index: 0,
        error_code: ErrorCode::NONE,
        error_message: None,
        leader_id: leader.0,
        leader_epoch: i32::try_from(metrics.term).unwrap_or(i32::MAX),
        high_watermark: end(metrics.committed),
        current_voters: vec![voter],
        observers: Vec::new(),
    }
}

fn refused(partition_index: i32, error_code: ErrorCode, message: &'static str) -> PartitionData {
    PartitionData {
        partition_index,
        error_code,
        error_message: Some(Text::from_static(message)),
        leader_id: -1,
        leader_epoch: -1,
        high_watermark: -1,
        ..PartitionData::default()
    }
}

fn nodes(broker: &Broker, image: &Image) -> Vec<Node> {
    let own = image.broker(broker.run.node);
    let describe = |own: &Arc<Registered>| Node {
        node_id: own.node.0,
        listeners: own
            .endpoints
            .iter()
            .map(|endpoint| Listener {
                name: Text::from(endpoint.listener.as_str()),
                host: Text::from(endpoint.host.as_str()),
                port: endpoint.port,
            })
            .collect(),
    };
    own.into_iter().map(describe).collect()
}
