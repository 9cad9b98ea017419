//! `Pipeline`: decides what is written, flushed, synced and freed next. It never waits; executors do what it hands out.
//!
//! Segments first: only wholly written batches enter a group. While one group is flushed the next one fills, so a
//! flush covers whatever came in during the one before it, from however many partitions. Groups are flushed one at a
//! time, in order.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use aquifer_types::TopicPartition;
use aquifer_wal::Wal;

use super::checkpoint::Checkpoints;
use super::command::{Command, LogHandle, Notice};
use super::counters::{Counters, distinct};
use super::job::{Background, BackgroundDone, Building, FlushJob, Settled, Unfinished, WriteDone, WriteJob};
use crate::log::{SealTask, SegmentFile};

/// So many segments written to while one file of the log was filled are a scattered load: their checkpoints would be a storm
/// of small syncs. The checkpoint of a few large ones is one long write, cheapest when it is made as late as possible.
const SCATTERED_MIN: usize = 32;

/// Who is told what, once no lock is held.
pub(super) type Notices = Vec<(Arc<LogHandle>, Notice)>;

/// A directory's commit state.
#[derive(Debug)]
pub(super) struct Pipeline {
    wal: Wal,
    backlog: VecDeque<Command>,
    unfinished: VecDeque<Unfinished>,
    /// The group that takes records; away while a write job fills it.
    building: Option<Building>,
    /// The other group; away while it is flushed.
    spare: Option<Building>,
    writing: bool,
    flushing: Option<u64>,
    /// The log was full when a group had to be placed.
    stalled: bool,
    making_slot: bool,
    checkpoints: Checkpoints,
    background: VecDeque<Background>,
    background_running: usize,
    group_bytes_max: usize,
    /// A flush failed: nothing more is taken.
    latched: bool,
    counters: Counters,
    /// The file of the log that was written to when upkeep was last asked for.
    kept_up_in: u64,
    /// What went to files of the log before this one is being written back.
    writing_back_upto: u64,
    /// Room for counting the partitions of a flush.
    seen: Vec<usize>,
}

impl Pipeline {
    pub(super) fn new(wal: Wal, group_bytes_max: usize, checkpoints: Checkpoints) -> Pipeline {
        Pipeline {
            wal,
            backlog: VecDeque::new(),
            unfinished: VecDeque::new(),
            building: Some(Building::new(group_bytes_max)),
            spare: Some(Building::new(group_bytes_max)),
            writing: false,
            flushing: None,
            stalled: false,
            making_slot: false,
            checkpoints,
            background: VecDeque::new(),
            background_running: 0,
            group_bytes_max,
            latched: false,
            counters: Counters::default(),
            kept_up_in: 0,
            writing_back_upto: 0,
            seen: Vec::new(),
        }
    }

    /// A group waits because every file of the log is in use.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled
    }

    pub(super) fn is_latched(&self) -> bool {
        self.latched
    }

    /// Batches wait for room in a group, or for another turn.
    pub(super) fn has_waiting_writes(&self) -> bool {
        !self.backlog.is_empty() || !self.unfinished.is_empty()
    }

    /// There is work in the background, or may be: what upkeep decides by changes when another file of the log is opened,
    /// and with its own work.
    pub(super) fn wants_upkeep(&mut self) -> bool {
        let opened = std::mem::replace(&mut self.kept_up_in, self.wal.generation()) != self.wal.generation();
        opened || self.stalled || !self.background.is_empty()
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    pub(super) fn checkpoints(&mut self) -> &mut Checkpoints {
        &mut self.checkpoints
    }

    /// Somebody is at the writes, and looks for more after them.
    pub(super) fn is_writing(&self) -> bool {
        self.writing
    }

    /// No writes are under way or queued up here, so whoever has some may make them in place.
    pub(super) fn is_quiet(&self) -> bool {
        !self.writing && self.backlog.is_empty() && self.unfinished.is_empty()
    }

    /// What failed in the background may be tried again.
    pub(super) fn retry(&mut self) {
        if self.background_running == 0 {
            self.making_slot = false;
            self.checkpoints.recycling_failed();
        }
    }

    /// Nothing queued, nothing under way.
    pub(super) fn is_idle(&self) -> bool {
        self.backlog.is_empty()
            && self.unfinished.is_empty()
            && !self.writing
            && self.flushing.is_none()
            && self.building.as_ref().is_some_and(Building::is_empty)
            && self.background.is_empty()
            && self.background_running == 0
    }

    /// The next writes, if the writer is free and the group has room. `queued` is drained.
    pub(super) fn take_writes(&mut self, queued: &mut VecDeque<Command>) -> Option<WriteJob> {
        self.backlog.append(queued);
        if self.writing || (self.backlog.is_empty() && self.unfinished.is_empty()) {
            return None;
        }
        if self.latched {
            return None;
        }
        let room = |building: &Building| building.group.payload_bytes() < self.group_bytes_max;
        let building = self.building.take_if(|building| room(building))?;
        let mut bytes = 0;
        let mut commands = Vec::with_capacity(self.backlog.len().min(64));
        while bytes < self.group_bytes_max as u64
            && let Some(command) = self.backlog.pop_front()
        {
            bytes += command.bytes();
            commands.push(command);
        }
        self.writing = true;
        Some(WriteJob {
            commands,
            building,
            unfinished: std::mem::take(&mut self.unfinished),
            done: WriteDone::default(),
            group_bytes_max: self.group_bytes_max,
        })
    }

    pub(super) fn finish_writes(&mut self, job: WriteJob, notices: &mut Notices) {
        self.writing = false;
        self.building = Some(job.building);
        self.unfinished = job.unfinished;
        let done = job.done;
        for command in done.left.into_iter().rev() {
            self.backlog.push_front(command);
        }
        for write in &done.written {
            self.counters.written_bytes += write.bytes;
            self.checkpoints.wrote(write);
            match notices.last_mut() {
                Some((log, Notice::Written { upto })) if Arc::ptr_eq(log, &write.log) => *upto = write.end,
                _ => notices.push((write.log.clone(), Notice::Written { upto: write.end })),
            }
        }
        for (log, log_start) in done.starts {
            self.checkpoints.started(log.id, log_start);
        }
        for log in done.drops {
            self.checkpoints.dropped(log.id);
        }
        for (log, task) in done.seals {
            self.background.push_back(Background::Seal { log, task });
        }
        if done.sync_failed {
            self.latch(notices);
        }
        for failed in done.failed {
            notices.push((failed.log.clone(), Notice::WriteFailed { from: failed.from, full: failed.full }));
            if failed.damaged {
                notices.push((failed.log, Notice::Offline));
            }
        }
    }

    /// The next group to flush, if the flusher is free and there is anything to make durable.
    pub(super) fn take_flush(&mut self) -> Option<FlushJob> {
        if self.latched || self.flushing.is_some() || self.spare.is_none() {
            return None;
        }
        let mut building = self.building.take_if(|building| !building.is_empty())?;
        match self.wal.seal(&mut building.group) {
            Ok(placement) => {
                self.stalled = false;
                self.flushing = Some(placement.generation);
                self.building = self.spare.take();
                Some(FlushJob { placement, building })
            }
            Err(_full) => {
                // Producers wait until a file is freed; nothing fails.
                self.counters.stalls += u64::from(!self.stalled);
                self.stalled = true;
                self.building = Some(building);
                None
            }
        }
    }

    pub(super) fn finish_flush(&mut self, job: FlushJob, result: io::Result<()>, notices: &mut Notices) {
        let generation = self.flushing.take().expect("a flush was under way");
        let FlushJob { placement, mut building } = job;
        if let Err(error) = result {
            tracing::error!(file = %placement.path.display(), %error, "flush failed: the directory goes offline");
            self.latch(notices);
            return;
        }
        self.count_flush(&building);
        for settled in building.settled.drain(..) {
            match settled {
                Settled::Flushed { log, end } => {
                    self.checkpoints.logged(generation, log.id, end);
                    match notices.last_mut() {
                        Some((last, Notice::Flushed { upto })) if Arc::ptr_eq(last, &log) => *upto = end,
                        _ => notices.push((log, Notice::Flushed { upto: end })),
                    }
                }
                Settled::Part { log, end } => self.checkpoints.logged(generation, log.id, end),
                Settled::Synced { log, end } => notices.push((log, Notice::Flushed { upto: end })),
                Settled::Started { log, log_start, files } => {
                    notices.push((log, Notice::Started { log_start }));
                    if !files.is_empty() {
                        self.delete_segments(files);
                    }
                }
                Settled::Dropped { log } => {
                    self.background.retain(
                        |job| !matches!(job, Background::Seal { log: of, .. } if Arc::ptr_eq(of, &log)),
                    );
                    self.background.push_front(Background::DeletePartition { log });
                }
            }
        }
        building.group.clear();
        self.spare = Some(building);
    }

    /// Before what waits: it makes room, and sealing, which syncs, may be far behind. What is gone need not be sealed.
    fn delete_segments(&mut self, files: Vec<Arc<SegmentFile>>) {
        if let Some(first) = files.first() {
            self.checkpoints.deleted(first.id, &files);
        }
        let is_gone = |task: &SealTask| files.iter().any(|file| Arc::ptr_eq(file, &task.segment));
        self.background.retain(|job| !matches!(job, Background::Seal { task, .. } if is_gone(task)));
        self.background.push_front(Background::DeleteSegments { files });
    }

    fn count_flush(&mut self, building: &Building) {
        let flushed = || {
            building.settled.iter().filter_map(|settled| match settled {
                Settled::Flushed { log, .. } => Some(log),
                _ => None,
            })
        };
        self.counters.flushes += 1;
        self.counters.flushed_batches += flushed().count() as u64;
        self.counters.flushed_partitions += distinct(flushed(), &mut self.seen);
        self.counters.logged_bytes += building.group.payload_bytes() as u64;
    }

    pub(super) fn latch(&mut self, notices: &mut Notices) {
        self.latched = true;
        notices.extend(self.checkpoints.logs().map(|log| (log.clone(), Notice::Offline)));
    }

    /// The next thing to do in the background.
    pub(super) fn take_background(&mut self) -> Option<Background> {
        if self.latched {
            return None;
        }
        let job = self.background.pop_front().or_else(|| self.upkeep())?;
        self.background_running += 1;
        Some(job)
    }

    /// The next sync of a clean shutdown.
    pub(super) fn take_dirty(&mut self) -> Option<Background> {
        let job = self.checkpoints.next_dirty()?;
        self.background_running += 1;
        Some(job)
    }

    /// The sync of one partition's segments, if they need it.
    pub(super) fn take_sync_of(&mut self, id: TopicPartition) -> Option<Background> {
        if self.latched {
            return None;
        }
        let job = self.checkpoints.next_of(id)?;
        self.background_running += 1;
        Some(job)
    }

    fn upkeep(&mut self) -> Option<Background> {
        let generation = self.wal.generation();
        let left = std::mem::replace(&mut self.writing_back_upto, generation);
        if left != generation {
            let segments = self.checkpoints.written_in(left);
            if segments.len() >= SCATTERED_MIN {
                return Some(Background::WriteBack { segments });
            }
        }
        if let Some(job) = self.checkpoints.next(&self.wal, self.stalled) {
            return Some(job);
        }
        let slot = self.wal.wanted().filter(|_| !self.making_slot)?;
        self.making_slot = true;
        Some(Background::NewSlot(slot))
    }

    pub(super) fn finish_background(&mut self, done: BackgroundDone, notices: &mut Notices) {
        self.background_running -= 1;
        match done {
            BackgroundDone::Checkpointed { log } => {
                self.counters.checkpoints += 1;
                self.checkpoints.checkpointed(log.id);
            }
            BackgroundDone::Recycled { floor } => {
                self.wal.free_below(floor);
                self.checkpoints.recycled(&self.wal);
            }
            BackgroundDone::Slot(slot, file) => {
                self.making_slot = false;
                self.wal.add((slot, file));
            }
            BackgroundDone::Sealed { log, segment } => notices.push((log, Notice::Sealed { segment })),
            BackgroundDone::WritingBack | BackgroundDone::Deleted => {}
            BackgroundDone::Failed { job, error } => self.background_failed(job, &error, notices),
        }
    }

    fn background_failed(&mut self, job: Background, error: &aquifer_disk::DiskError, notices: &mut Notices) {
        tracing::error!(%error, "background work on the log failed");
        match job {
            // A failed sync may have dropped the pages it should have written: nothing here can be trusted any more.
            Background::Checkpoint { log, .. } => {
                self.checkpoints.checkpointed(log.id);
                self.latch(notices);
            }
            // Both are tried again at the next look at the volume's space, not at once.
            Background::Recycle { .. } | Background::NewSlot(_) => {}
            // The index is made again by recovery, and files that stay are only space: neither is worth a retry storm.
            Background::WriteBack { .. }
            | Background::Seal { .. }
            | Background::DeleteSegments { .. }
            | Background::DeletePartition { .. } => {}
        }
    }
}
