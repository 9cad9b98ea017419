//! ListPartitionReassignments: the partitions whose replicas are being added or taken away.

use aquifer_metadata::{Image, Partition, Topic};
use aquifer_types::{NodeId, PartitionIndex};
use aquifer_wire::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use aquifer_wire::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

/// Of the topics that are asked for, or of all. One that is unknown has nothing that moves.
pub(crate) fn list_partition_reassignments(
    image: &Image,
    request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    let topics: Vec<OngoingTopicReassignment> = match request.topics {
        None => image.topics().filter_map(|topic| moving(topic, topic.partitions())).collect(),
        Some(asked) => asked
            .into_iter()
            .filter_map(|asked| {
                let topic = image.topic(&asked.name)?;
                let partitions = asked.partition_indexes.into_iter().filter_map(|index| {
                    let index = PartitionIndex(index);
                    topic.partition(index).map(|partition| (index, partition))
                });
                moving(topic, partitions)
            })
            .collect(),
    };
    ListPartitionReassignmentsResponse {
        error_message: None,
        topics,
        ..ListPartitionReassignmentsResponse::default()
    }
}

/// What of a topic is moving; `None` if nothing is.
fn moving<'a>(
    topic: &Topic,
    partitions: impl Iterator<Item = (PartitionIndex, &'a Partition)>,
) -> Option<OngoingTopicReassignment> {
    let ids = |nodes: &mut dyn Iterator<Item = NodeId>| nodes.map(|node| node.0).collect::<Vec<i32>>();
    let partitions: Vec<OngoingPartitionReassignment> = partitions
        .map(|(index, partition)| OngoingPartitionReassignment {
            partition_index: index.0,
            replicas: ids(&mut partition.replicas().iter().map(|replica| replica.node)),
            adding_replicas: ids(&mut partition.adding()),
            removing_replicas: ids(&mut partition.removing()),
        })
        .filter(|moving| !moving.adding_replicas.is_empty() || !moving.removing_replicas.is_empty())
        .collect();
    (!partitions.is_empty())
        .then(|| OngoingTopicReassignment { name: topic.name().as_str().into(), partitions })
}
