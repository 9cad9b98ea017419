//! Where the copies of new partitions go: as a client says, or spread over the live brokers.

use aquifer_metadata::{Image, PlacedReplica, Placement};
use aquifer_types::NodeId;
use aquifer_wire::ErrorCode;

use crate::broker::Broker;
use crate::refusal::Refused;

/// Copies of a partition whose creator left the number to the cluster, brokers permitting.
const DEFAULT_REPLICATION: usize = 3;
/// Partitions that one request may make: a proposal must fit an entry of the metadata log.
const REQUEST_PARTITIONS_MAX: usize = 10_000;

/// What is left of the partitions that one request may make.
#[derive(Debug)]
pub(crate) struct PartitionBudget(usize);

impl Default for PartitionBudget {
    fn default() -> PartitionBudget {
        PartitionBudget(REQUEST_PARTITIONS_MAX)
    }
}

impl PartitionBudget {
    /// Takes partitions from the budget, or refuses if there are too few.
    pub(crate) fn take(&mut self, partitions: usize) -> Result<(), Refused> {
        self.0 = self.0.checked_sub(partitions).ok_or_else(|| {
            let message = format!("one request makes at most {REQUEST_PARTITIONS_MAX} partitions");
            Refused::new(ErrorCode::POLICY_VIOLATION, message)
        })?;
        Ok(())
    }
}

/// The number of copies a client asks for, checked against the live brokers; `None` leaves it to the cluster.
pub(crate) fn copies(image: &Image, asked: Option<usize>) -> Result<usize, Refused> {
    let live = image.live_brokers().count();
    let copies = asked.unwrap_or_else(|| DEFAULT_REPLICATION.min(live));
    if copies == 0 || copies > live {
        let message = format!("{copies} copies of a partition need as many brokers, and {live} are live");
        return Err(Refused::new(ErrorCode::INVALID_REPLICATION_FACTOR, message));
    }
    Ok(copies)
}

impl Broker {
    /// Spreads the copies of `partitions` partitions, from partition `first` on. There are at least `copies` brokers.
    pub(crate) fn spread(
        &self,
        image: &Image,
        first: usize,
        partitions: usize,
        copies: usize,
    ) -> Vec<Placement> {
        let brokers: Vec<_> = image.live_brokers().collect();
        let start = usize::try_from(self.runtime.random_u64() % brokers.len().max(1) as u64).unwrap_or(0);
        let placements = (first..first + partitions).map(|partition| {
            let place = |copy: usize| {
                let broker = brokers[(start + partition + copy) % brokers.len()];
                let directory = broker.directories[partition % broker.directories.len()];
                PlacedReplica { node: broker.node, directory }
            };
            Placement((0..copies).map(place).collect())
        });
        placements.collect()
    }
}

/// The placement of one partition on the nodes that a client names.
pub(crate) fn assigned(image: &Image, partition: usize, nodes: &[i32]) -> Result<Placement, Refused> {
    let place = |node: &i32| {
        let broker = image.broker(NodeId(*node)).ok_or_else(|| {
            let message =
                format!("partition {partition} is assigned to node {node}, which is not registered");
            Refused::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message)
        })?;
        // A registered broker has a directory.
        Ok(PlacedReplica {
            node: broker.node,
            directory: broker.directories[partition % broker.directories.len()],
        })
    };
    nodes.iter().map(place).collect::<Result<Vec<_>, _>>().map(Placement)
}
