//! The jobs that wait for the disk: executors run them without any lock.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

use aquifer_disk::{DiskError, FileHandle, WriteError};
use aquifer_types::Offset;
use aquifer_wal::{Floor, Group, NewSlot, Placement};

use super::command::{Command, LogHandle, Write};
use super::removal::{delete_partition, delete_segments};
use crate::format::{MarksFile, SegmentName, Suffix, WalEntry};
use crate::log::{FilePool, SealTask, SegmentFile};

/// Writes to one file are joined up to this many, which is what one system call takes with headers and bodies apart.
const JOINED_MAX: usize = 500;

/// A group being filled, and who is told when it is durable.
#[derive(Debug)]
pub(super) struct Building {
    pub(super) group: Group,
    pub(super) settled: Vec<Settled>,
}

/// What becomes true once a group is durable.
#[derive(Clone, Debug)]
pub(super) enum Settled {
    Flushed {
        log: Arc<LogHandle>,
        end: Offset,
    },
    /// Part of the batch that ends here: nothing to tell yet, but this file of the log is needed for it.
    Part {
        log: Arc<LogHandle>,
        end: Offset,
    },
    Synced {
        log: Arc<LogHandle>,
        end: Offset,
    },
    Started {
        log: Arc<LogHandle>,
        log_start: Offset,
        files: Vec<Arc<SegmentFile>>,
    },
    Dropped {
        log: Arc<LogHandle>,
    },
}

/// Writes queued commands to segments and into a group.
#[derive(Debug)]
pub(super) struct WriteJob {
    pub(super) commands: Vec<Command>,
    pub(super) building: Building,
    /// Batches in their segments that the group had no room for, or only for a part of.
    pub(super) unfinished: VecDeque<Unfinished>,
    pub(super) done: WriteDone,
    pub(super) group_bytes_max: usize,
}

#[derive(Debug)]
pub(super) struct Unfinished {
    write: Write,
    logged: usize,
}

/// What a write job came to.
#[derive(Debug, Default)]
pub(super) struct WriteDone {
    pub(super) written: Vec<Written>,
    pub(super) failed: Vec<Failed>,
    pub(super) seals: Vec<(Arc<LogHandle>, SealTask)>,
    pub(super) starts: Vec<(Arc<LogHandle>, Offset)>,
    pub(super) drops: Vec<Arc<LogHandle>>,
    pub(super) sync_failed: bool,
    /// Commands that the group had no room for.
    pub(super) left: Vec<Command>,
}

/// A batch that stands in its segment.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) log: Arc<LogHandle>,
    pub(super) segment: Arc<SegmentFile>,
    pub(super) position: u64,
    pub(super) bytes: u64,
    pub(super) base: Offset,
    pub(super) end: Offset,
}

impl From<&Write> for Written {
    fn from(write: &Write) -> Written {
        Written {
            log: write.log.clone(),
            segment: write.segment.clone(),
            position: write.position,
            bytes: write.bytes(),
            base: write.base,
            end: write.end,
        }
    }
}

#[derive(Debug)]
pub(super) struct Failed {
    pub(super) log: Arc<LogHandle>,
    pub(super) from: Offset,
    pub(super) full: bool,
    /// The file could not be cut back either.
    pub(super) damaged: bool,
}

impl Building {
    pub(super) fn new(capacity: usize) -> Building {
        Building { group: Group::with_capacity(capacity), settled: Vec::new() }
    }

    /// Nothing to make durable and nobody to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.group.is_empty() && self.settled.is_empty()
    }
}

impl WriteJob {
    pub(super) fn execute(&mut self, files: &FilePool) {
        while self.building.group.payload_bytes() < self.group_bytes_max
            && let Some(Unfinished { write, logged }) = self.unfinished.pop_front()
        {
            if let Some(left) = self.log_write(write, logged) {
                self.unfinished.push_front(left);
            }
        }
        let mut commands = std::mem::take(&mut self.commands).into_iter().peekable();
        while self.unfinished.is_empty() && self.building.group.payload_bytes() < self.group_bytes_max {
            let Some(command) = commands.next() else { break };
            match command {
                Command::Write(first) => {
                    let mut run = vec![first];
                    let mut bytes = run[0].bytes();
                    while bytes < self.group_bytes_max as u64 && run.len() < JOINED_MAX {
                        let last = run.last().expect("starts with one");
                        match commands.peek() {
                            Some(Command::Write(next)) if joins(last, next) => {}
                            _ => break,
                        }
                        let Some(Command::Write(next)) = commands.next() else { break };
                        bytes += next.bytes();
                        run.push(next);
                    }
                    self.write_run(run, files);
                }
                Command::Seal { log, attempt, task } => {
                    if !log.is_void(attempt) {
                        self.done.seals.push((log, *task));
                    }
                }
                Command::Start { log, log_start, dropped } => {
                    let (kind, fields) = WalEntry::Start { id: log.id, log_start }.encode_fields();
                    self.building.group.push(kind, &[&fields]);
                    self.done.starts.push((log.clone(), log_start));
                    let files = dropped.into_iter().map(|segment| segment.file).collect();
                    self.building.settled.push(Settled::Started { log, log_start, files });
                }
                Command::Sync { log, upto, segments } => self.sync(&log, upto, &segments, files),
                Command::Drop { log } => {
                    let (kind, fields) = WalEntry::Drop { id: log.id }.encode_fields();
                    self.building.group.push(kind, &[&fields]);
                    self.done.drops.push(log.clone());
                    self.building.settled.push(Settled::Dropped { log });
                }
            }
        }
        self.done.left = commands.collect();
    }

    /// Syncs a partition's segments in the order of the queue, which waits for it: a topic changes its durability
    /// rarely. Its mark in the group keeps later records of the log from standing behind a gap.
    fn sync(&mut self, log: &Arc<LogHandle>, upto: Offset, segments: &[Arc<SegmentFile>], files: &FilePool) {
        let job = Background::Checkpoint { log: log.clone(), segments: segments.to_vec(), created: true };
        match job.execute(files) {
            BackgroundDone::Failed { error, .. } => {
                tracing::error!(partition = %log.id, %error, "sync failed: the directory goes offline");
                self.done.sync_failed = true;
            }
            _ => self.building.settled.push(Settled::Synced { log: log.clone(), end: upto }),
        }
    }

    /// Writes neighbours with one call. What is not wholly written is refused, with everything behind it.
    fn write_run(&mut self, run: Vec<Write>, files: &FilePool) {
        let first = &run[0];
        if first.log.is_void(first.attempt) {
            return;
        }
        let mut parts = Vec::with_capacity(run.len() * 2);
        for write in &run {
            parts.push(IoSlice::new(&write.header));
            parts.push(IoSlice::new(&write.body));
        }
        let opened = files.open(&first.segment, true);
        let result = match &opened {
            Ok(file) => file.write_at(first.position, &parts).map_err(|error| (Some(file.clone()), error)),
            Err(error) => Err((None, refused_open(error))),
        };
        drop(parts);
        let written = match &result {
            Ok(()) => run.len(),
            Err((_, error)) => whole_writes(&run, error.written),
        };
        let mut run = run;
        let refused = run.split_off(written);
        for write in run {
            self.done.written.push(Written::from(&write));
            if !write.durable {
                continue;
            }
            // In the order of the log: nothing overtakes what waits for the next group.
            if !self.unfinished.is_empty() {
                self.unfinished.push_back(Unfinished { write, logged: 0 });
            } else if let Some(left) = self.log_write(write, 0) {
                self.unfinished.push_back(left);
            }
        }
        if let Err((file, error)) = result {
            self.refuse(&refused[0], file.as_ref(), &error);
        }
    }

    fn refuse(&mut self, first: &Write, file: Option<&FileHandle>, error: &WriteError) {
        let cut = file.map_or(Ok(()), |file| file.set_size(first.position));
        tracing::error!(
            partition = %first.log.id, offset = first.base.0, %error, cut_back = cut.is_ok(),
            "write to segment failed"
        );
        first.log.void(first.attempt);
        self.done.failed.push(Failed {
            log: first.log.clone(),
            from: first.base,
            full: error.is_full(),
            damaged: cut.is_err(),
        });
    }

    /// Puts a batch, or what is left of it, into the group, in pieces that fit one; returns what does not fit.
    fn log_write(&mut self, write: Write, logged: usize) -> Option<Unfinished> {
        let whole = write.header.len() + write.body.len();
        let mut logged = logged;
        while logged < whole {
            if self.building.group.payload_bytes() >= self.group_bytes_max {
                return Some(Unfinished { write, logged });
            }
            let piece_end = whole.min(logged + self.group_bytes_max);
            let entry = WalEntry::Data {
                id: write.log.id,
                epoch: write.epoch,
                base: write.base,
                segment: write.segment.name,
                position: write.position + logged as u64,
                is_part: piece_end < whole,
                bytes: &[],
            };
            let (kind, fields) = entry.encode_fields();
            let header = &write.header[logged.min(write.header.len())..piece_end.min(write.header.len())];
            let body_from = logged.saturating_sub(write.header.len());
            let body_end = piece_end.saturating_sub(write.header.len());
            self.building.group.push(kind, &[&fields, header, &write.body[body_from..body_end]]);
            if piece_end < whole {
                self.building.settled.push(Settled::Part { log: write.log.clone(), end: write.end });
            }
            logged = piece_end;
        }
        self.building.settled.push(Settled::Flushed { log: write.log, end: write.end });
        None
    }
}

fn joins(last: &Write, next: &Write) -> bool {
    Arc::ptr_eq(&last.segment, &next.segment)
        && last.attempt == next.attempt
        && last.durable == next.durable
        && last.position + last.bytes() == next.position
}

fn whole_writes(run: &[Write], written: u64) -> usize {
    let mut end = 0;
    run.iter()
        .take_while(|write| {
            end += write.bytes();
            end <= written
        })
        .count()
}

fn refused_open(error: &DiskError) -> WriteError {
    let source = error
        .source
        .raw_os_error()
        .map_or_else(|| error.source.kind().into(), std::io::Error::from_raw_os_error);
    WriteError { written: 0, source }
}

/// Makes one sealed group durable.
#[derive(Debug)]
pub(super) struct FlushJob {
    pub(super) placement: Placement,
    pub(super) building: Building,
}

impl FlushJob {
    pub(super) fn execute(&self) -> std::io::Result<()> {
        self.placement.write(&self.building.group)
    }
}

/// Work that nobody's acknowledgement waits for.
#[derive(Debug)]
pub(super) enum Background {
    /// Makes a partition's segments durable by themselves, so that the write-ahead log need not hold them.
    Checkpoint {
        log: Arc<LogHandle>,
        segments: Vec<Arc<SegmentFile>>,
        created: bool,
    },
    /// Saves all marks, then lets WAL files be used again.
    Recycle {
        marks: MarksFile,
        floor: Floor,
    },
    NewSlot(NewSlot),
    /// Has the system begin to write segments, so that the checkpoint that comes later is no burst that holds up flushes.
    WriteBack {
        segments: Vec<Arc<SegmentFile>>,
    },
    Seal {
        log: Arc<LogHandle>,
        task: SealTask,
    },
    DeleteSegments {
        files: Vec<Arc<SegmentFile>>,
    },
    DeletePartition {
        log: Arc<LogHandle>,
    },
}

/// What a background job came to.
#[derive(Debug)]
pub(super) enum BackgroundDone {
    Checkpointed {
        log: Arc<LogHandle>,
    },
    Recycled {
        floor: Floor,
    },
    Slot(NewSlot, FileHandle),
    WritingBack,
    Sealed {
        log: Arc<LogHandle>,
        segment: SegmentName,
    },
    Deleted,
    /// It could not be done; what it would have allowed is not allowed.
    Failed {
        job: Background,
        error: DiskError,
    },
}

impl Background {
    pub(super) fn execute(self, files: &FilePool) -> BackgroundDone {
        match self.run(files) {
            Ok(done) => done,
            Err(failed) => {
                let (job, error) = *failed;
                BackgroundDone::Failed { job, error }
            }
        }
    }

    fn run(self, files: &FilePool) -> Result<BackgroundDone, Box<(Background, DiskError)>> {
        let disk = files.disk();
        let layout = files.layout();
        match &self {
            Background::Checkpoint { log, segments, created } => {
                let sync = || -> Result<(), DiskError> {
                    for segment in segments {
                        let path = layout.segment(segment.id, segment.name, Suffix::Log);
                        let file = match files.open(segment, false) {
                            // Deleted since: nothing of it is needed.
                            Err(error) if error.is_not_found() => continue,
                            opened => opened?,
                        };
                        file.sync().map_err(|source| DiskError { attempted: "sync", path, source })?;
                    }
                    if *created {
                        disk.sync_dir(&layout.partition(log.id))?;
                        disk.sync_dir(&layout.topic(log.id.topic))?;
                        disk.sync_dir(&layout.partitions())?;
                    }
                    Ok(())
                };
                match sync() {
                    Ok(()) => Ok(BackgroundDone::Checkpointed { log: log.clone() }),
                    Err(error) => Err(Box::new((self, error))),
                }
            }
            Background::Recycle { marks, floor } => {
                let saved = disk
                    .replace(&layout.marks(), &marks.encode())
                    .and_then(|()| floor.write(&**disk, &layout.wal()));
                saved
                    .map(|()| BackgroundDone::Recycled { floor: *floor })
                    .map_err(|error| Box::new((self, error)))
            }
            Background::NewSlot(slot) => match slot.clone().create(&**disk) {
                Ok((slot, file)) => Ok(BackgroundDone::Slot(slot, file)),
                Err(error) => Err(Box::new((self, error))),
            },
            Background::WriteBack { segments } => {
                for segment in segments {
                    // A hint: what was deleted, or cannot be opened now, will be met by its checkpoint.
                    if let Ok(file) = files.open(segment, false)
                        && let Ok(bytes) = file.size()
                    {
                        file.begin_write_back(0, bytes);
                    }
                }
                Ok(BackgroundDone::WritingBack)
            }
            Background::Seal { log, task } => match write_seal(files, task) {
                Ok(()) => Ok(BackgroundDone::Sealed { log: log.clone(), segment: task.segment.name }),
                Err(error) => Err(Box::new((self, error))),
            },
            Background::DeleteSegments { files: gone } => match delete_segments(files, gone) {
                Ok(()) => Ok(BackgroundDone::Deleted),
                Err(error) => Err(Box::new((self, error))),
            },
            Background::DeletePartition { log } => {
                let deleted = if log.give_up_files() { delete_partition(files, log.id) } else { Ok(()) };
                deleted.map(|()| BackgroundDone::Deleted).map_err(|error| Box::new((self, error)))
            }
        }
    }
}

/// Both files can be made again from the segment, so each is whole or passed over.
fn write_seal(files: &FilePool, task: &SealTask) -> Result<(), DiskError> {
    let (disk, layout) = (files.disk(), files.layout());
    let segment = &task.segment;
    disk.replace(&layout.segment(segment.id, segment.name, Suffix::Index), &task.index.encode())?;
    let next = SegmentName { base: task.producers.end, generation: 0 };
    disk.replace(&layout.segment(segment.id, next, Suffix::Producers), &task.producers.encode())
}
