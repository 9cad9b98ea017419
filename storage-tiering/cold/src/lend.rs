//! Chunks of a store that is a folder of this machine are sent from the store's own files, once they were read and checked.
//!
//! Nothing of them is kept in memory or copied. A file that is of no use is read like any other object, and told of then.

use std::sync::Arc;

use aquifer_disk::{Disk as _, DiskError, FileHandle, OpenMode, RealDisk};
use aquifer_manifest::{CHUNK_BYTES, TierRange};
use aquifer_objects::{InPlace, ObjectError, Operation, Problem};

use crate::chunks::{ChunkId, FAILED_FOR, Wake};
use crate::cold::{Cold, Inner, State};
use crate::counters::Counters;
use crate::fill::{Fill, PATIENCE, object};
use crate::shelved::Spot;

/// What is held open for readers.
const LENT_BYTES_MAX: u64 = 4 << 30;

impl Cold {
    /// Whether a chunk that is not on the shelf is to be had from the store's own file, and the file where it is open already. Nothing
    /// is lent shortly after a failure, so that readers are told what is wrong.
    pub(crate) fn look_in_store(&self, state: &mut State, id: ChunkId, wake: Option<&Wake>) -> Spot {
        let is_lending =
            self.inner.store.is_folder() && self.inner.runtime.now().monotonic >= state.lending_rests_until;
        match state.lent.look(id, wake) {
            Spot::Absent if is_lending => Spot::Closed,
            spot => spot,
        }
    }

    pub(crate) fn begin_lend(&self, state: &mut State, fill: Fill, wake: Option<&Wake>) {
        if !state.lent.has(fill.id) {
            // Files are the store's: those that make room are only closed.
            state.lent.evict(LENT_BYTES_MAX.saturating_sub(fill.bytes()));
            state.lent.found(fill.id, fill.bytes());
        }
        state.lent.begin_open(fill.id, wake);
        Counters::add(&self.inner.counters.fills, 1);
        let inner = self.inner.clone();
        self.inner.runtime.spawn("lend-chunk", async move {
            let lent = inner.borrow(&fill).await;
            let now = inner.runtime.now().monotonic;
            let mut state = inner.state();
            if let Err(error) = &lent {
                tracing::debug!(%error, "a file of the tier is not sent from where it is");
                state.lending_rests_until = now.plus(FAILED_FOR);
            }
            let woken = state.lent.end_open(fill.id, lent.ok());
            drop(state);
            for wake in woken {
                wake();
            }
        });
    }

    /// The object is deleted: nobody keeps its file from giving its space back.
    pub fn forget(&self, range: &TierRange) {
        let object = object(range);
        let mut woken = Vec::new();
        let mut state = self.inner.state();
        for chunk in 0..range.bytes.div_ceil(CHUNK_BYTES) {
            woken.extend(state.lent.remove(ChunkId { object, chunk: Some(chunk) }));
        }
        drop(state);
        for wake in woken {
            wake();
        }
    }
}

impl Inner {
    /// The file that holds the chunk, once its bytes were read and are what they should be.
    async fn borrow(self: &Arc<Inner>, fill: &Fill) -> Result<FileHandle, ObjectError> {
        let refused =
            |problem, message: String| ObjectError::new(Operation::Read, &fill.key, problem, message);
        let looked =
            self.runtime.timeout(PATIENCE, self.store.look_in_place(&fill.key, fill.from..fill.to)).await;
        let late = || refused(Problem::Unavailable, format!("nothing came for {PATIENCE:?}"));
        let InPlace { path, crc } = looked.ok_or_else(late)??;
        if fill.crc != Some(crc) {
            return Err(refused(Problem::Corrupt, "the checksum does not match".to_owned()));
        }
        let open = move || RealDisk.open(&path, OpenMode::Read);
        let opened = self.runtime.spawn_blocking("open-object", open).await;
        let failed = |error: DiskError| refused(Problem::Unavailable, error.to_string());
        opened.ok_or_else(late)?.map_err(failed)
    }
}
