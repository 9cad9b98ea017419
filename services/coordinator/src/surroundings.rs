//! `Surroundings`: what all shards of a broker share.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aquifer_group::{Now, Settings};
use aquifer_hotlog::{Directory, Health};
use aquifer_metadata::Image;
use aquifer_runtime::Runtime;
use tokio::sync::Semaphore;

/// What a coordinator needs of its broker.
#[derive(Clone)]
pub struct Surroundings {
    pub runtime: Runtime,
    /// The directory that the partitions are in.
    pub directory: Directory,
    /// Where checkpoints are kept.
    pub checkpoints: PathBuf,
    pub image: Arc<dyn Fn() -> Image + Send + Sync>,
    pub settings: Settings,
    /// Once the log has grown by so much beyond the checkpoint, another is made.
    pub checkpoint_every_bytes: u64,
    pub counters: Arc<Counters>,
}

/// What shards did since the broker started.
#[derive(Debug)]
pub struct Counters {
    pub loads: AtomicU64,
    pub loads_failed: AtomicU64,
    /// Read from logs, behind checkpoints.
    pub loaded_bytes: AtomicU64,
    pub checkpoints_written: AtomicU64,
    pub requests: AtomicU64,
    pub batches: AtomicU64,
    pub groups: AtomicU64,
    pub bytes: AtomicU64,
    /// Held by whoever makes a checkpoint: it takes memory for a second copy of a shard.
    pub(crate) checkpointing: Semaphore,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters {
            loads: AtomicU64::default(),
            loads_failed: AtomicU64::default(),
            loaded_bytes: AtomicU64::default(),
            checkpoints_written: AtomicU64::default(),
            requests: AtomicU64::default(),
            batches: AtomicU64::default(),
            groups: AtomicU64::default(),
            bytes: AtomicU64::default(),
            checkpointing: Semaphore::new(1),
        }
    }
}

pub(crate) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

impl Surroundings {
    /// What a load reads in some tens of milliseconds.
    pub const CHECKPOINT_EVERY_BYTES: u64 = 16 << 20;

    pub(crate) fn is_full(&self) -> bool {
        self.directory.health() == Health::Full
    }

    pub(crate) fn now(&self) -> Now {
        let now = self.runtime.now();
        Now { elapsed_ms: u64::try_from(now.monotonic.0.as_millis()).unwrap_or(u64::MAX), wall: now.wall }
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("checkpoints", &self.checkpoints).finish_non_exhaustive()
    }
}
