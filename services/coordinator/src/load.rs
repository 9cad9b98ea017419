//! Loading: a partition's log becomes the state of its groups, from a checkpoint on where there is one.

use std::sync::Arc;
use std::time::Duration;

use aquifer_group::Loading;
use aquifer_hotlog::{FilePool, Located, ReadError};
use aquifer_partition::Isolation;
use aquifer_record::{batches, decode};
use aquifer_replica::{FetchRefusal, Replica, Waiter};
use aquifer_types::Offset;

use crate::checkpoint::{self, Checkpoint};
use crate::surroundings::{Surroundings, count};

/// How much is read at a time.
const CHUNK_BYTES: u64 = 4 << 20;
/// What one batch may unpack to; ours are not packed, and bounded by the core's limits.
const UNPACKED_BYTES_MAX: usize = 64 << 20;
/// Compaction may take a segment away between finding and opening it.
const ATTEMPTS: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(1);

/// A partition cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("read the partition: {0}")]
    Refused(#[from] FetchRefusal),
    #[error("read the partition: {0}")]
    Read(#[from] ReadError),
    #[error("the batch at offset {0} is damaged")]
    Damaged(Offset),
    #[error("loading failed in the middle")]
    Panicked,
}

/// The state of everything that is committed when the log's present end is; and how much of it a checkpoint did not have.
pub(crate) struct Loaded {
    pub(crate) state: Loading,
    pub(crate) tail_bytes: u64,
}

/// Takes in everything up to the log's present end, which is waited for to be committed.
pub(crate) async fn load(surroundings: &Surroundings, replica: &Arc<Replica>) -> Result<Loaded, LoadError> {
    let end = replica.describe().log_end;
    let mut loaded = Loaded { state: begin(surroundings, replica).await, tail_bytes: 0 };
    let waiter = Arc::new(Waiter::default());
    let mut failures = 0;
    while loaded.state.next() < end {
        let fetched = replica.read(loaded.state.next(), Isolation::ReadUncommitted, None, Some(&waiter))?;
        let Some(located) = fetched.located else {
            surroundings.runtime.timeout(PATIENCE, waiter.wait()).await;
            continue;
        };
        let files = surroundings.directory.files().clone();
        let work = move || {
            let taken = take_in(&mut loaded, &located, &files);
            (loaded, taken)
        };
        let (after, taken) =
            surroundings.runtime.spawn_blocking("load-groups", work).await.ok_or(LoadError::Panicked)?;
        loaded = after;
        match taken {
            Ok(()) => failures = 0,
            Err(LoadError::Read(error)) if failures < ATTEMPTS => {
                tracing::debug!(%error, "reading groups again");
                failures += 1;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(loaded)
}

/// The state at the checkpoint, or at the log's start.
async fn begin(surroundings: &Surroundings, replica: &Arc<Replica>) -> Loading {
    let id = replica.id();
    let disk = surroundings.directory.files().disk().clone();
    let folder = surroundings.checkpoints.clone();
    let reading = move || checkpoint::read(&*disk, &folder, id);
    let found = surroundings.runtime.spawn_blocking("read-checkpoint", reading).await.flatten();
    let log = replica.describe();
    let mut state = match found {
        Some(Checkpoint { epoch, state }) if agrees(replica, &state, epoch) => state,
        Some(_) => {
            tracing::warn!(partition = %id, "the checkpoint is of another log: the whole log is loaded");
            Loading::new()
        }
        None => Loading::new(),
    };
    // A restored log begins with every offset that there is; what came before is in the tier, and superseded.
    state.skip_to(log.local_start);
    state
}

/// Whether what a checkpoint took in is what the log holds.
fn agrees(replica: &Replica, state: &Loading, epoch: i32) -> bool {
    let next = state.next();
    next > Offset::ZERO
        && next <= replica.describe().high_watermark
        && replica.epoch_at(Offset(next.0 - 1)).is_some_and(|stored| stored.0 == epoch)
}

fn take_in(loaded: &mut Loaded, located: &Located, files: &FilePool) -> Result<(), LoadError> {
    let range = located.resolve(files, CHUNK_BYTES)?;
    let mut bytes = vec![0; usize::try_from(range.len).unwrap_or(usize::MAX)];
    range.file.read_exact_at(range.at, &mut bytes).map_err(ReadError::Io)?;
    replay(&mut loaded.state, &bytes)?;
    loaded.tail_bytes += range.len;
    // Compaction may have emptied what lies before the next batch.
    loaded.state.skip_to(range.next);
    Ok(())
}

/// Takes in the records of whole batches that were not taken in before.
fn replay(state: &mut Loading, bytes: &[u8]) -> Result<(), LoadError> {
    let mut walk = batches(bytes);
    let mut unpacked = Vec::new();
    for batch in walk.by_ref() {
        let damaged = || LoadError::Damaged(batch.header.base_offset);
        if !batch.checksum_holds() {
            return Err(damaged());
        }
        if !batch.header.attributes.is_control() {
            let records = decode(&batch.header, batch.body(), UNPACKED_BYTES_MAX, &mut unpacked)
                .map_err(|_unreadable| damaged())?;
            for record in records {
                let record = record.map_err(|_unreadable| damaged())?;
                if let Some(key) = record.key
                    && record.offset >= state.next()
                {
                    state.replay(record.offset, key, record.value);
                }
            }
        }
        state.skip_to(batch.header.end());
    }
    match walk.ended().error {
        None => Ok(()),
        Some(_) => Err(LoadError::Damaged(state.next())),
    }
}

/// Reads the log anew and keeps what it comes to, so that the next load begins there.
pub(crate) async fn make_checkpoint(surroundings: Surroundings, replica: Arc<Replica>) {
    let Ok(_turn) = surroundings.counters.checkpointing.acquire().await else { return };
    match load(&surroundings, &replica).await {
        Ok(loaded) => keep(&surroundings, &replica, loaded.state).await,
        Err(error) => {
            tracing::info!(partition = %replica.id(), %error, "no checkpoint of the groups is made");
        }
    }
}

/// Writes a checkpoint of what was loaded, all of which is committed.
async fn keep(surroundings: &Surroundings, replica: &Arc<Replica>, state: Loading) {
    let Some(epoch) = replica.epoch_at(Offset(state.next().0 - 1)) else { return };
    let id = replica.id();
    let disk = surroundings.directory.files().disk().clone();
    let folder = surroundings.checkpoints.clone();
    let write = move || checkpoint::write(&*disk, &folder, id, epoch.0, &state);
    match surroundings.runtime.spawn_blocking("write-checkpoint", write).await {
        Some(Ok(())) => count(&surroundings.counters.checkpoints_written, 1),
        // The next load takes longer, that is all.
        Some(Err(error)) => {
            tracing::warn!(partition = %id, %error, "the checkpoint of the groups is not written");
        }
        None => tracing::warn!(partition = %id, "writing the checkpoint of the groups failed in the middle"),
    }
}
