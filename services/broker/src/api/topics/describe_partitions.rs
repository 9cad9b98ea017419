//! DescribeTopicPartitions: topics in the order of their names, page by page.

use std::collections::BTreeSet;
use std::sync::Arc;

use aquifer_metadata::{Image, Partition, Topic};
use aquifer_types::{PartitionIndex, TopicName};
use aquifer_wire::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use aquifer_wire::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use aquifer_wire::{ErrorCode, Text};

use super::metadata::describe_partition;
use crate::api::operations::TOPIC_OPERATIONS;
use crate::broker::Broker;

/// The most partitions on a page, whatever the client allows.
const PAGE_PARTITIONS_MAX: usize = 2_000;

pub(crate) fn describe_topic_partitions(
    broker: &Broker,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let named: BTreeSet<Text> = request.topics.into_iter().map(|topic| topic.name).collect();
    if request.cursor.as_ref().is_some_and(|cursor| cursor.partition_index < 0) {
        let refused = named.into_iter().map(|name| refused(name, ErrorCode::INVALID_REQUEST));
        return DescribeTopicPartitionsResponse {
            topics: refused.collect(),
            ..DescribeTopicPartitionsResponse::default()
        };
    }
    let limit = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let (from, first) = match request.cursor {
        Some(cursor) => (cursor.topic_name, usize::try_from(cursor.partition_index).unwrap_or(0)),
        None => (Text::EMPTY, 0),
    };
    let image = broker.image();
    let mut page = Page {
        left: limit.clamp(1, PAGE_PARTITIONS_MAX),
        start: (from.clone(), first),
        topics: Vec::new(),
        next: None,
    };
    if named.is_empty() {
        let all = image.topics().filter(|topic| *topic.name().as_str() >= *from.as_str());
        for topic in all {
            if !page.add(&image, topic) {
                break;
            }
        }
    } else {
        for name in named.into_iter().filter(|name| *name >= from) {
            let more = match image.topic(&name) {
                Some(topic) => page.add(&image, topic),
                None => page.refuse(name),
            };
            if !more {
                break;
            }
        }
    }
    DescribeTopicPartitionsResponse {
        topics: page.topics,
        next_cursor: page.next,
        ..DescribeTopicPartitionsResponse::default()
    }
}

/// An answer being filled.
struct Page {
    /// How many partitions still fit.
    left: usize,
    /// The topic and partition that the page starts at.
    start: (Text, usize),
    topics: Vec<DescribeTopicPartitionsResponseTopic>,
    next: Option<Cursor>,
}

impl Page {
    /// Adds what fits of a topic; false once the page is full.
    fn add(&mut self, image: &Image, topic: &Arc<Topic>) -> bool {
        let name = Text::from(topic.name().as_str());
        if self.left == 0 {
            self.next = Some(Cursor { topic_name: name, partition_index: 0 });
            return false;
        }
        let first = if name == self.start.0 { self.start.1 } else { 0 };
        let count = usize::try_from(topic.partition_count()).unwrap_or(0);
        let end = count.min(first.saturating_add(self.left));
        let described = (first..end).filter_map(|index| {
            let index = PartitionIndex(i32::try_from(index).ok()?);
            Some(describe(image, index, topic.partition(index)?))
        });
        let partitions: Vec<_> = described.collect();
        self.left -= partitions.len();
        if end < count {
            let partition_index = i32::try_from(end).unwrap_or(i32::MAX);
            self.next = Some(Cursor { topic_name: name.clone(), partition_index });
        }
        self.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code: ErrorCode::NONE,
            name: Some(name),
            topic_id: topic.id().0,
            is_internal: topic.is_internal(),
            partitions,
            topic_authorized_operations: TOPIC_OPERATIONS,
        });
        self.next.is_none()
    }

    fn refuse(&mut self, name: Text) -> bool {
        let code = match TopicName::new(&name) {
            Ok(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Err(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
        };
        self.topics.push(refused(name, code));
        true
    }
}

fn refused(name: Text, error_code: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        error_code,
        name: Some(name),
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

fn describe(
    image: &Image,
    index: PartitionIndex,
    partition: &Partition,
) -> DescribeTopicPartitionsResponsePartition {
    let described = describe_partition(image, index.0, partition);
    DescribeTopicPartitionsResponsePartition {
        error_code: described.error_code,
        partition_index: described.partition_index,
        leader_id: described.leader_id,
        leader_epoch: described.leader_epoch,
        replica_nodes: described.replica_nodes,
        isr_nodes: described.isr_nodes,
        // Java's Admin does not bear null here.
        eligible_leader_replicas: Some(partition.elr().map(|node| node.0).collect()),
        last_known_elr: Some(partition.last_known_elr().map(|node| node.0).collect()),
        offline_replicas: described.offline_replicas,
    }
}
