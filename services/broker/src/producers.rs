//! What recovery reads of idempotent producers, and the blocks of ids that new ones get.

use std::collections::BTreeMap;

use aquifer_hotlog::Replay;
use aquifer_hotlog::format::ProducersFile;
use aquifer_metadata::{AllocateProducerIds, Answer, BrokerRun, Change, ProducerIdBlock};
use aquifer_quorum::Quorum;
use aquifer_record::{BatchHeader, ProducerState};
use aquifer_types::{ProducerId, TimestampMs, TopicPartition};
use tokio::sync::Mutex;

/// How many ids are taken from the quorum at a time.
const BLOCK: u32 = 1000;

/// Collects every partition's producers while its log is recovered.
#[derive(Debug)]
pub(crate) struct RecoveredProducers {
    now: TimestampMs,
    partitions: BTreeMap<TopicPartition, BTreeMap<ProducerId, ProducerState>>,
}

impl RecoveredProducers {
    pub(crate) fn new(now: TimestampMs) -> RecoveredProducers {
        RecoveredProducers { now, partitions: BTreeMap::new() }
    }

    pub(crate) fn take(&mut self, id: TopicPartition) -> Vec<ProducerState> {
        self.partitions.remove(&id).unwrap_or_default().into_values().collect()
    }
}

impl Replay for RecoveredProducers {
    fn restore(&mut self, id: TopicPartition, file: ProducersFile) {
        let producers = file.producers.into_iter().map(|producer| (producer.id, producer)).collect();
        self.partitions.insert(id, producers);
    }

    fn batch(&mut self, id: TopicPartition, header: &BatchHeader) {
        if header.has_producer() {
            self.partitions
                .entry(id)
                .or_default()
                .entry(header.producer_id)
                .or_insert_with(|| ProducerState::new(header.producer_id, header.producer_epoch))
                .observe(header, self.now);
        }
    }
}

/// Hands out producer ids, each once.
#[derive(Debug)]
pub(crate) struct ProducerIds {
    run: BrokerRun,
    block: Mutex<Option<ProducerIdBlock>>,
}

impl ProducerIds {
    pub(crate) fn new(run: BrokerRun) -> ProducerIds {
        ProducerIds { run, block: Mutex::new(None) }
    }

    /// The next id; `None` where the quorum gave no block in time.
    pub(crate) async fn next(&self, quorum: &Quorum) -> Option<ProducerId> {
        let mut block = self.block.lock().await;
        if block.as_ref().is_none_or(|block| block.first >= block.end) {
            let spare_prefix = quorum.random_prefix();
            let allocate = AllocateProducerIds { run: self.run, count: BLOCK, spare_prefix };
            match quorum.propose(Change::AllocateProducerIds(allocate)).await {
                Ok((_, Answer::ProducerIdsAllocated(Ok(allocated)))) => *block = Some(allocated),
                answer => {
                    tracing::warn!(?answer, "no producer ids from the quorum");
                    return None;
                }
            }
        }
        let block = block.as_mut()?;
        let id = block.first;
        block.first = ProducerId(id.0 + 1);
        Some(id)
    }
}
