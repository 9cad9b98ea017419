//! `Checkpoints`: which partitions' segments must be synced before which WAL files may be used again.

use std::collections::BTreeMap;
use std::sync::Arc;

use aquifer_types::{Offset, TopicPartition};
use aquifer_wal::Wal;

use super::command::LogHandle;
use super::job::{Background, Written};
use crate::format::{Mark, MarksFile, PartitionMark};
use crate::log::SegmentFile;

/// From this fullness on (in thousandths) files of the log are freed.
const START_FULLNESS: u64 = 500;
/// How many partitions are synced at a time.
const IN_FLIGHT_MAX: usize = 2;

/// What is written but not durable by itself.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    logs: BTreeMap<TopicPartition, Progress>,
    /// For each generation of the WAL, up to where each partition's segments must be durable before it may go.
    needs: BTreeMap<u64, BTreeMap<TopicPartition, Offset>>,
    in_flight: usize,
    recycling: bool,
}

#[derive(Debug)]
struct Progress {
    log: Arc<LogHandle>,
    log_start: Offset,
    /// Up to where segments are written.
    written: Mark,
    /// Up to where they are durable.
    synced: Mark,
    dirty: Vec<Arc<SegmentFile>>,
    /// A file was made since the last sync: its name must become durable too.
    created: bool,
    /// What a sync that is under way will have made durable.
    syncing: Option<Mark>,
}

impl Checkpoints {
    /// Starts from what recovery made durable.
    pub(crate) fn adopt(&mut self, id: TopicPartition, log: Arc<LogHandle>, log_start: Offset, synced: Mark) {
        let progress = Progress {
            log,
            log_start,
            written: synced,
            synced,
            dirty: Vec::new(),
            created: false,
            syncing: None,
        };
        self.logs.insert(id, progress);
    }

    pub(super) fn wrote(&mut self, write: &Written) {
        let nothing = Mark { segment: write.segment.name, position: 0, end: write.base };
        let progress = self.logs.entry(write.log.id).or_insert_with(|| Progress {
            log: write.log.clone(),
            log_start: write.base,
            written: nothing,
            synced: nothing,
            dirty: Vec::new(),
            created: true,
            syncing: None,
        });
        let end = write.position + write.bytes;
        progress.written = Mark { segment: write.segment.name, position: end, end: write.end };
        progress.created |= write.position == 0;
        if progress.dirty.last().is_none_or(|last| !Arc::ptr_eq(last, &write.segment)) {
            progress.dirty.push(write.segment.clone());
        }
    }

    pub(super) fn started(&mut self, id: TopicPartition, log_start: Offset) {
        if let Some(progress) = self.logs.get_mut(&id) {
            progress.log_start = log_start;
        }
    }

    /// Segments were deleted: they need no sync any more.
    pub(super) fn deleted(&mut self, id: TopicPartition, files: &[Arc<SegmentFile>]) {
        if let Some(progress) = self.logs.get_mut(&id) {
            progress.dirty.retain(|dirty| !files.iter().any(|file| Arc::ptr_eq(file, dirty)));
        }
    }

    pub(super) fn dropped(&mut self, id: TopicPartition) {
        self.logs.remove(&id);
        for needs in self.needs.values_mut() {
            needs.remove(&id);
        }
    }

    /// A group of this generation holds the partition's records up to `end`.
    pub(super) fn logged(&mut self, generation: u64, id: TopicPartition, end: Offset) {
        if self.logs.contains_key(&id) {
            self.needs.entry(generation).or_default().insert(id, end);
        }
    }

    /// The segments that a generation's batches went to, as far as they are not durable by themselves.
    pub(super) fn written_in(&self, generation: u64) -> Vec<Arc<SegmentFile>> {
        let ids = self.needs.get(&generation).into_iter().flat_map(BTreeMap::keys);
        ids.filter_map(|id| self.logs.get(id)?.dirty.last().cloned()).collect()
    }

    /// What should be done now so that the log does not fill up.
    pub(super) fn next(&mut self, wal: &Wal, stalled: bool) -> Option<Background> {
        if !stalled && wal.fullness() < START_FULLNESS {
            return None;
        }
        let oldest = *wal.live_generations().first()?;
        if oldest >= wal.generation() {
            return None;
        }
        let needed = self.needs.get(&oldest).into_iter().flatten();
        let mut waiting = false;
        let mut due = None;
        for (id, end) in needed {
            let progress = &self.logs[id];
            if progress.synced.end < *end {
                waiting = true;
                if progress.syncing.is_none() {
                    due = Some(*id);
                    break;
                }
            }
        }
        match due {
            Some(id) if self.in_flight < IN_FLIGHT_MAX => self.checkpoint(id),
            None if !waiting && !self.recycling => {
                self.recycling = true;
                Some(Background::Recycle { marks: self.marks(), floor: wal.floor_below(oldest + 1) })
            }
            _ => None,
        }
    }

    /// Any partition whose segments are not durable by themselves: what a clean shutdown still has to do.
    pub(super) fn next_dirty(&mut self) -> Option<Background> {
        let dirty = |progress: &Progress| !progress.dirty.is_empty() && progress.syncing.is_none();
        let id = self.logs.values().find(|progress| dirty(progress)).map(|progress| progress.log.id)?;
        self.checkpoint(id)
    }

    /// A partition's segments, if some of them are not durable by themselves and nobody is at it.
    pub(super) fn next_of(&mut self, id: TopicPartition) -> Option<Background> {
        let progress = self.logs.get(&id)?;
        (!progress.dirty.is_empty() && progress.syncing.is_none()).then(|| self.checkpoint(id))?
    }

    /// Up to where a partition's segments are durable by themselves.
    pub(super) fn synced(&self, id: TopicPartition) -> Option<Offset> {
        self.logs.get(&id).map(|progress| progress.synced.end)
    }

    fn checkpoint(&mut self, id: TopicPartition) -> Option<Background> {
        let progress = self.logs.get_mut(&id)?;
        progress.syncing = Some(progress.written);
        self.in_flight += 1;
        Some(Background::Checkpoint {
            log: progress.log.clone(),
            segments: std::mem::take(&mut progress.dirty),
            created: std::mem::take(&mut progress.created),
        })
    }

    pub(super) fn checkpointed(&mut self, id: TopicPartition) {
        self.in_flight -= 1;
        if let Some(progress) = self.logs.get_mut(&id)
            && let Some(synced) = progress.syncing.take()
        {
            progress.synced = synced;
        }
    }

    pub(super) fn recycled(&mut self, wal: &Wal) {
        self.recycling = false;
        let oldest = wal.live_generations().first().copied().unwrap_or(u64::MAX);
        self.needs.retain(|generation, _| *generation >= oldest);
    }

    pub(super) fn recycling_failed(&mut self) {
        self.recycling = false;
    }

    pub(super) fn logs(&self) -> impl Iterator<Item = &Arc<LogHandle>> {
        self.logs.values().map(|progress| &progress.log)
    }

    pub(crate) fn marks(&self) -> MarksFile {
        let partitions = self
            .logs
            .iter()
            .map(|(id, progress)| PartitionMark {
                id: *id,
                log_start: progress.log_start,
                mark: progress.synced,
            })
            .collect();
        MarksFile { partitions }
    }
}
