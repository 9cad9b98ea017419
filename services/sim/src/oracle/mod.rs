//! `Oracle`: what the node promised its clients, and whether it keeps it.

mod partition;
mod topics;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aquifer_types::{Offset, PartitionIndex};

pub use partition::{Ask, BatchId, Expectation, Partition};
pub use topics::{Shown, Topics};

use crate::plan::TopicPlan;
use crate::trace::Trace;

/// Everything that was promised. Clones are the same oracle.
#[derive(Clone)]
pub struct Oracle {
    state: Arc<Mutex<State>>,
    trace: Trace,
}

/// What the oracle knows of topics that come and go, and of the records of those that stay.
#[derive(Debug, Default)]
pub struct State {
    pub topics: Topics,
    pub partitions: BTreeMap<(String, PartitionIndex), Partition>,
    /// Batches acknowledged so far.
    pub acknowledged: u64,
    /// Batches read so far, each reading counted.
    pub read: u64,
}

impl Oracle {
    pub fn new(topics: &[TopicPlan], trace: Trace) -> Oracle {
        let mut state = State::default();
        for topic in topics {
            for index in 0..topic.partitions {
                let partition = Partition::new(topic.flushed, topic.retention_bytes.is_some());
                state.partitions.insert((topic.name.clone(), PartitionIndex(index)), partition);
            }
        }
        Oracle { state: Arc::new(Mutex::new(state)), trace }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks something of a partition; a broken promise fails the simulation.
    pub fn partition<T>(
        &self,
        topic: &str,
        index: PartitionIndex,
        ask: impl FnOnce(&mut Partition) -> Result<T, String>,
    ) -> Option<T> {
        let asked = {
            let mut state = self.state();
            let partition =
                state.partitions.get_mut(&(topic.to_owned(), index)).expect("a planned partition");
            ask(partition)
        };
        match asked {
            Ok(answer) => Some(answer),
            Err(broken) => {
                self.trace.fail("oracle", format_args!("{topic}-{index}: {broken}"));
                None
            }
        }
    }

    /// A batch was acknowledged.
    pub fn acknowledged(&self, topic: &str, index: PartitionIndex, id: BatchId, base: Offset) {
        self.state().acknowledged += 1;
        self.partition(topic, index, |partition| partition.acknowledged(id, base));
    }

    /// What the node read at its high watermark, from an offset on.
    pub fn read(&self, topic: &str, index: PartitionIndex, from: Offset, records: &[u8]) -> Option<Offset> {
        let (end, batches) = self.partition(topic, index, |partition| partition.read(from, records))?;
        self.state().read += batches;
        Some(end)
    }

    /// Power was lost, or a device failed: what only the page cache held may be gone.
    pub fn page_cache_lost(&self) {
        self.state().partitions.values_mut().for_each(Partition::page_cache_lost);
    }
}
