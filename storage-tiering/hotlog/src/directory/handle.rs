//! `Directory`: a data directory that takes commands from replicas and keeps its promises in the background.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use aquifer_disk::{Disk, DiskError, Space};
use aquifer_runtime::Runtime;
use aquifer_types::{Offset, TopicPartition};
use aquifer_wal::Wal;
use tokio::sync::Notify;

use super::checkpoint::Checkpoints;
use super::command::Command;
use super::counters::Counters;
use super::driver::Parker;
use super::permit::Retired;
use super::pipeline::Pipeline;
use crate::format::{CleanFile, ProducersFile, SegmentName, Suffix};
use crate::log::FilePool;
use crate::recover::OpenError;

/// Below this much queued, whoever queued it may write it in place: a page-cache write shorter than waking a thread.
const IN_PLACE_BYTES_MAX: u64 = 64 << 10;
/// After so many writes in place the writer takes over.
const TURNS_IN_PLACE: usize = 4;

/// What a directory may use.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The write-ahead log's capacity; `None` takes a fiftieth of the volume within bounds.
    pub wal_bytes: Option<u64>,
    /// How many segment files stay open.
    pub open_files_max: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { wal_bytes: None, open_files_max: 4096 }
    }
}

impl Settings {
    const WAL_BYTES: std::ops::RangeInclusive<u64> = (8 << 20)..=(2 << 30);
    const WAL_BYTES_MIN: u64 = 256 << 10;
    const WAL_FILES_MIN: u64 = 8;
    const WAL_FILE_BYTES_MAX: u64 = 64 << 20;
    const WAL_FIRST_FILE_BYTES: u64 = 4 << 20;

    /// How the write-ahead log of a volume this large is laid out.
    #[must_use]
    pub fn wal(&self, space: Space) -> aquifer_wal::Settings {
        let usual = (space.total_bytes / 50).clamp(*Self::WAL_BYTES.start(), *Self::WAL_BYTES.end());
        let capacity = self.wal_bytes.unwrap_or(usual).max(Self::WAL_BYTES_MIN);
        let slot_bytes = (capacity / Self::WAL_FILES_MIN).min(Self::WAL_FILE_BYTES_MAX) & !0xfff;
        aquifer_wal::Settings {
            first_slot_bytes: slot_bytes.min(Self::WAL_FIRST_FILE_BYTES),
            slot_bytes,
            slots_max: usize::try_from(capacity / slot_bytes).expect("at most some hundred files"),
        }
    }

    /// How much a group takes before it is flushed: about what one batch of default size needs.
    fn group_bytes_max(wal: &aquifer_wal::Settings) -> usize {
        const GROUP_BYTES_MAX: u64 = (1 << 20) + (64 << 10);
        usize::try_from((wal.first_slot_bytes / 3).min(GROUP_BYTES_MAX)).expect("about a mebibyte")
    }
}

/// What state a directory is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Healthy,
    /// Space is short: appends are refused until some is freed.
    Full,
    /// A flush failed: nothing can be trusted until the process starts again on a sound disk.
    Offline,
}

/// One data directory. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Directory {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) files: Arc<FilePool>,
    queue: Mutex<VecDeque<Command>>,
    pub(super) queued_bytes: AtomicU64,
    pipeline: Mutex<Pipeline>,
    pub(super) writer: Parker,
    pub(super) flusher: Parker,
    pub(super) upkeep: Parker,
    pub(super) simulated: Notify,
    pub(super) stop: AtomicBool,
    pub(super) latched: AtomicBool,
    full: AtomicBool,
    /// A log is being cleaned.
    pub(super) cleaning: AtomicBool,
    pub(super) closing: AtomicBool,
    pub(super) retired: Retired,
    pub(super) threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Shared {
    pub(super) fn pipeline(&self) -> MutexGuard<'_, Pipeline> {
        self.pipeline.lock().expect("the pipeline does not panic")
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, VecDeque<Command>> {
        self.queue.lock().expect("queueing does not panic")
    }
}

impl Directory {
    /// Starts the executors over what recovery left.
    pub(crate) fn start(
        files: Arc<FilePool>,
        wal: Wal,
        wal_settings: &aquifer_wal::Settings,
        checkpoints: Checkpoints,
        runtime: &Runtime,
    ) -> Result<Directory, OpenError> {
        let pipeline = Pipeline::new(wal, Settings::group_bytes_max(wal_settings), checkpoints);
        let shared = Arc::new(Shared {
            files,
            queue: Mutex::default(),
            queued_bytes: AtomicU64::new(0),
            pipeline: Mutex::new(pipeline),
            writer: Parker::default(),
            flusher: Parker::default(),
            upkeep: Parker::default(),
            simulated: Notify::new(),
            stop: AtomicBool::new(false),
            latched: AtomicBool::new(false),
            full: AtomicBool::new(false),
            cleaning: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            retired: Retired::default(),
            threads: Mutex::default(),
        });
        if runtime.is_simulated() {
            runtime.spawn("log-directory", shared.clone().simulate(runtime.clone()));
        } else {
            shared.start_threads(runtime).map_err(OpenError::Threads)?;
        }
        let directory = Directory { shared };
        directory.check_space()?;
        Ok(directory)
    }

    #[must_use]
    pub fn files(&self) -> &Arc<FilePool> {
        &self.shared.files
    }

    /// Queues a command; under the replica's lock, so that the queue's order is the order of offsets.
    pub fn enqueue(&self, command: Command) {
        // A sync waits for the device: it counts as more than anybody may do in place.
        let weight = match command {
            Command::Sync { .. } => IN_PLACE_BYTES_MAX + 1,
            _ => command.bytes(),
        };
        self.shared.queued_bytes.fetch_add(weight, Ordering::Relaxed);
        self.shared.queue().push_back(command);
    }

    /// Sees that what was queued is taken up; after the replica's lock is released. A little is written in place, with
    /// what others queue meanwhile: waking a thread takes longer than a write into the page cache.
    pub fn nudge(&self) {
        let shared = &self.shared;
        shared.simulated.notify_one();
        for _ in 0..TURNS_IN_PLACE {
            if shared.queued_bytes.load(Ordering::Relaxed) > IN_PLACE_BYTES_MAX {
                break;
            }
            match shared.pipeline.try_lock().map(|pipeline| (pipeline.is_writing(), pipeline.is_quiet())) {
                // Whoever writes looks at the queue again when done.
                Ok((true, _)) => return,
                Ok((false, true)) => {}
                Ok((false, false)) | Err(_) => break,
            }
            if !shared.write_turn() {
                break;
            }
            // One turn takes about a group's worth: what it left is not in the queue any more, and nobody else may look.
            if shared.queue().is_empty() && !shared.pipeline().has_waiting_writes() {
                return;
            }
        }
        shared.writer.wake();
    }

    #[must_use]
    pub fn health(&self) -> Health {
        if self.shared.latched.load(Ordering::SeqCst) {
            Health::Offline
        } else if self.shared.full.load(Ordering::Relaxed) {
            Health::Full
        } else {
            Health::Healthy
        }
    }

    /// What was done since the directory was opened.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.pipeline().counters()
    }

    /// Looks at the volume: below a twentieth free (within bounds) appends are refused, until there is a fifth more.
    /// May wait for the disk; call it about every second.
    pub fn check_space(&self) -> Result<Space, DiskError> {
        let (space, reserve) = self.space()?;
        let was_full = self.shared.full.load(Ordering::Relaxed);
        let wanted = if was_full { reserve + reserve / 5 } else { reserve };
        let full = space.free_bytes < wanted;
        if full != was_full {
            tracing::warn!(free_bytes = space.free_bytes, reserve, full, "disk space");
        }
        self.shared.full.store(full, Ordering::Relaxed);
        self.shared.pipeline().retry();
        self.shared.upkeep.wake();
        self.shared.simulated.notify_one();
        Ok(space)
    }

    /// Whether this much more may be written without touching the reserve. May wait for the disk.
    pub(crate) fn has_room_for(&self, bytes: u64) -> Result<bool, DiskError> {
        let (space, reserve) = self.space()?;
        Ok(space.free_bytes >= reserve.saturating_add(bytes))
    }

    /// The volume's space, and how much of it is kept back.
    fn space(&self) -> Result<(Space, u64), DiskError> {
        const RESERVE_BYTES: std::ops::RangeInclusive<u64> = (4 << 20)..=(5 << 30);
        let space = self.shared.files.disk().space(self.shared.files.layout().root())?;
        Ok((space, (space.total_bytes / 20).clamp(*RESERVE_BYTES.start(), *RESERVE_BYTES.end())))
    }

    /// Makes a partition's segments durable by themselves and says how far they are; nothing is known of a partition
    /// that has no records. Waits for the disk.
    #[must_use]
    pub fn sync(&self, id: TopicPartition) -> Option<Offset> {
        let job = self.shared.pipeline().take_sync_of(id);
        if let Some(job) = job {
            self.shared.run_background(job);
        }
        self.shared.pipeline().checkpoints().synced(id)
    }

    /// A sync failed: nothing here can be trusted until a restart.
    pub(crate) fn latch(&self, error: &DiskError) {
        tracing::error!(%error, "sync failed: the directory goes offline");
        self.shared.latch();
    }

    /// Flushes and syncs everything, writes `clean`, and stops the executors. Nothing may be queued any more. Without
    /// the ends of every partition there is no `clean`: a start takes what it does not name for absent.
    pub async fn close(
        &self,
        runtime: &Runtime,
        ends: impl FnOnce() -> Option<(CleanFile, Vec<(TopicPartition, ProducersFile)>)>,
    ) -> Result<(), DiskError> {
        const PATIENCE: Duration = Duration::from_millis(2);
        self.shared.closing.store(true, Ordering::SeqCst);
        let busy = || {
            let cleaning = self.shared.cleaning.load(Ordering::SeqCst);
            cleaning || !self.shared.pipeline().is_idle() || !self.shared.queue().is_empty()
        };
        while busy() {
            if self.health() == Health::Offline {
                return self.stop_executors(Ok(()));
            }
            self.nudge();
            self.shared.flusher.wake();
            self.shared.upkeep.wake();
            runtime.sleep(PATIENCE).await;
        }
        let directory = self.clone();
        runtime.spawn_blocking("remove-replaced", move || directory.sweep_all()).await;
        let shared = self.shared.clone();
        let synced = runtime.spawn_blocking("sync-segments", move || {
            loop {
                let job = shared.pipeline().take_dirty();
                let Some(job) = job else { break };
                shared.run_background(job);
            }
        });
        synced.await;
        if self.health() == Health::Offline {
            return self.stop_executors(Ok(()));
        }
        let saved = ends().map_or(Ok(()), |(clean, producers)| self.save_clean(&clean, &producers));
        self.stop_executors(saved)
    }

    fn save_clean(
        &self,
        clean: &CleanFile,
        producers: &[(TopicPartition, ProducersFile)],
    ) -> Result<(), DiskError> {
        let layout = self.shared.files.layout();
        let disk: &dyn Disk = &**self.shared.files.disk();
        for (id, file) in producers {
            let name = SegmentName { base: file.end, generation: 0 };
            disk.replace(&layout.segment(*id, name, Suffix::Producers), &file.encode())?;
        }
        let marks = self.shared.pipeline().checkpoints().marks();
        disk.replace(&layout.marks(), &marks.encode())?;
        disk.replace(&layout.clean(), &clean.encode())
    }

    fn stop_executors<T>(&self, result: T) -> T {
        self.shared.stop.store(true, Ordering::SeqCst);
        for parker in [&self.shared.writer, &self.shared.flusher, &self.shared.upkeep] {
            parker.wake();
        }
        self.shared.simulated.notify_one();
        let threads = std::mem::take(&mut *self.shared.threads.lock().expect("stopping does not panic"));
        for thread in threads {
            // A panicked executor has said so; the directory is closed all the same.
            let _ = thread.join();
        }
        result
    }
}
