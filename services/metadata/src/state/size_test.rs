//! What a partition costs.

use aquifer_types::{DirectoryId, NodeId, PartitionIndex};

use crate::command::Change;
use crate::partition::{DirectorySlot, Partition, Replica};
use crate::state::fixture::{Cluster, new_topic};
use crate::topic::Partitions;

#[test]
fn a_partition_of_three_copies_takes_at_most_64_bytes() {
    let replicas = [0, 1, 2].map(|node| Replica { node: NodeId(node), directory: DirectorySlot(0) });
    let partition = Partition::new(&replicas);

    assert!(size_of::<Partition>() <= 64, "{} bytes", size_of::<Partition>());
    assert_eq!(partition.heap_bytes(), 0);

    let mut many = Partitions::default();
    many.extend(std::iter::repeat_n(partition, 10_000));
    let per_partition = many.heap_bytes().div_ceil(many.len());
    assert!(per_partition <= 64, "{per_partition} bytes each with all that holds them");
}

#[test]
fn changing_a_partition_copies_its_neighbours_only() {
    let mut cluster = Cluster::with_brokers(1);
    let nodes: Vec<&[i32]> = vec![&[0]; 1000];
    cluster.apply(Change::CreateTopics(vec![new_topic("t", 1, &nodes)]));
    let before = cluster.image().clone();
    let topic = |image: &crate::image::Image| image.topic("t").expect("exists").clone();

    let at = topic(&before).at(PartitionIndex(500));
    let mut deltas = Vec::new();
    cluster.state.edit_partition(at, &mut deltas, |_, partition| partition.set_leader(None));

    let (old, new) = (topic(&before), topic(cluster.image()));
    let address = |topic: &crate::topic::Topic, index: i32| {
        std::ptr::from_ref(topic.partition(PartitionIndex(index)).expect("exists"))
    };
    let copied = (0..1000).filter(|index| address(&old, *index) != address(&new, *index)).count();
    assert_eq!(copied, 64);
    assert!(old.partition(PartitionIndex(500)).is_some_and(|partition| partition.leader().is_some()));
}

#[test]
fn more_copies_than_fit_inline_are_kept_too() {
    let replicas: Vec<Replica> =
        (0..16).map(|node| Replica { node: NodeId(node), directory: DirectorySlot(7) }).collect();

    let partition = Partition::new(&replicas);

    assert_eq!(partition.replicas(), replicas);
    assert!(partition.has_replica(NodeId(15)) && !partition.has_replica(NodeId(16)));
    assert_eq!(size_of::<DirectoryId>(), 4 * size_of::<DirectorySlot>());
}
