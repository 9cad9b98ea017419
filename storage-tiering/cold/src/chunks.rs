//! `Chunks`: parts of objects in memory, those on their way, and those that could not be had.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aquifer_manifest::CHUNK_BYTES;
use aquifer_objects::ObjectError;
use aquifer_runtime::Monotonic;
use bytes::Bytes;

use crate::footers::ObjectId;

/// Called when something that was waited for is there, or will not come.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// How long a failure is believed: nobody asks the store again meanwhile.
pub(crate) const FAILED_FOR: Duration = Duration::from_secs(1);
/// Readers that wait for one chunk; more look again by themselves.
const WAITERS_MAX: usize = 1_000;
/// Chunks that are remembered after they had to make room.
const GONE_MAX: usize = 65_536;
/// Whoever has not come back to a chunk for so long gives it up to one who waits, and to what nobody waits for yet.
const IDLE_FOR_WAITING: Duration = Duration::from_millis(500);
const IDLE_FOR_AHEAD: Duration = Duration::from_secs(5);

/// A chunk of a range in the bucket, by its place; footers have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChunkId {
    pub(crate) object: ObjectId,
    pub(crate) chunk: Option<u32>,
}

/// What is known of a chunk.
enum Chunk {
    /// Its turn comes, or it is on its way.
    Filling {
        waiters: Vec<Wake>,
    },
    Ready(Ready),
    Failed {
        error: ObjectError,
        at: Monotonic,
    },
}

/// A chunk in memory, or what is left of it.
struct Ready {
    bytes: Bytes,
    /// Where in the object the bytes begin.
    position: u32,
    /// Its place among those that were used.
    used: u64,
    used_at: Monotonic,
    was_read: bool,
    /// How far readers have come, as a position in the object.
    read_upto: u32,
    /// What lies before is not needed by the reader that came last.
    needed_from: u32,
}

/// What a reader finds.
pub(crate) enum Lookup {
    Ready {
        bytes: Bytes,
        /// Where in the object the bytes begin.
        position: u32,
    },
    /// Somebody fetches it already.
    Filling,
    Failed(ObjectError),
    /// Nobody does: whoever is told this must.
    Absent,
}

/// For whom room is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Somebody waits.
    Waiting,
    /// Somebody will, perhaps.
    Ahead,
}

/// All chunks, within a bound.
#[derive(Default)]
pub(crate) struct Chunks {
    chunks: BTreeMap<ChunkId, Chunk>,
    /// Those that somebody may come back to, by when they were used last.
    order: BTreeSet<(u64, ChunkId)>,
    /// Those that a reader has read to their end: they go first.
    spent: BTreeSet<(u64, ChunkId)>,
    clock: u64,
    /// Of those that are there and of those on their way.
    bytes: u64,
    pub(crate) evicted_unread: u64,
    /// What made room. Giving memory back takes time, which whoever holds the lock does not have.
    pub(crate) dropped: Vec<Bytes>,
    /// Chunks that were read and had to make room, the first one first.
    gone: VecDeque<ChunkId>,
    gone_ids: BTreeSet<ChunkId>,
    /// The first one first.
    failures: VecDeque<(Monotonic, ChunkId)>,
}

impl ChunkId {
    fn position(self) -> u32 {
        self.chunk.unwrap_or(0).saturating_mul(CHUNK_BYTES)
    }
}

impl Ready {
    fn end(&self) -> u32 {
        self.position.saturating_add(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX))
    }
}

impl Chunks {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Looks a chunk up for a reader of what stands at `from` in the object, who is woken if it has to wait.
    pub(crate) fn look(&mut self, id: ChunkId, from: u32, now: Monotonic, wake: Option<&Wake>) -> Lookup {
        match self.chunks.get_mut(&id) {
            None => Lookup::Absent,
            Some(Chunk::Filling { waiters }) => {
                if let Some(wake) = wake.filter(|_| waiters.len() < WAITERS_MAX) {
                    waiters.push(wake.clone());
                }
                Lookup::Filling
            }
            Some(Chunk::Failed { error, at }) if now.since(*at) < FAILED_FOR => Lookup::Failed(error.clone()),
            Some(Chunk::Failed { .. }) => {
                self.chunks.remove(&id);
                Lookup::Absent
            }
            // Its beginning made room, and this reader wants that.
            Some(Chunk::Ready(ready)) if ready.position > from => {
                self.remove(id);
                Lookup::Absent
            }
            Some(Chunk::Ready(ready)) => {
                self.order.remove(&(ready.used, id));
                self.spent.remove(&(ready.used, id));
                self.clock += 1;
                (ready.used, ready.used_at, ready.was_read) = (self.clock, now, true);
                self.order.insert((self.clock, id));
                Lookup::Ready { bytes: ready.bytes.clone(), position: ready.position }
            }
        }
    }

    /// Whether it is there, on its way, or was not to be had just now.
    pub(crate) fn is_known(&self, id: ChunkId) -> bool {
        self.chunks.contains_key(&id)
    }

    /// Notes that a chunk is to be fetched.
    pub(crate) fn note(&mut self, id: ChunkId) {
        self.chunks.insert(id, Chunk::Filling { waiters: Vec::new() });
    }

    /// Counts what is about to be fetched.
    pub(crate) fn count(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Makes room for so many bytes. What has been read goes first, then what nobody came back to; chunks that somebody reads on
    /// stay, but for those parts that were read, where somebody waits.
    pub(crate) fn make_room(&mut self, bytes: u64, bytes_max: u64, now: Monotonic, need: Need) -> bool {
        let idle = match need {
            Need::Waiting => IDLE_FOR_WAITING,
            Need::Ahead => IDLE_FOR_AHEAD,
        };
        while self.bytes + bytes > bytes_max {
            if let Some((_, id)) = self.spent.first().copied() {
                self.remove(id);
                continue;
            }
            if need == Need::Waiting && self.trim() {
                continue;
            }
            let oldest = self.order.first().map(|(_, id)| *id);
            let Some(id) = oldest.filter(|id| self.is_idle(*id, now, idle)) else { return false };
            self.remove(id);
        }
        true
    }

    fn is_idle(&self, id: ChunkId, now: Monotonic, idle: Duration) -> bool {
        matches!(self.chunks.get(&id), Some(Chunk::Ready(ready)) if now.since(ready.used_at) >= idle)
    }

    /// Gives up what was read of a chunk that is read on, if that is half of it at least.
    fn trim(&mut self) -> bool {
        for (_, id) in &self.order {
            let Some(Chunk::Ready(ready)) = self.chunks.get_mut(id) else { continue };
            let read = ready.needed_from.saturating_sub(ready.position) as usize;
            if read > 0 && read * 2 >= ready.bytes.len() {
                let left = Bytes::copy_from_slice(&ready.bytes[read..]);
                self.bytes -= read as u64;
                ready.position = ready.needed_from;
                self.dropped.push(std::mem::replace(&mut ready.bytes, left));
                return true;
            }
        }
        false
    }

    fn remove(&mut self, id: ChunkId) {
        let Some(Chunk::Ready(ready)) = self.chunks.remove(&id) else { return };
        self.order.remove(&(ready.used, id));
        self.spent.remove(&(ready.used, id));
        self.bytes -= ready.bytes.len() as u64;
        self.dropped.push(ready.bytes);
        if ready.was_read {
            self.note_gone(id);
        } else {
            self.evicted_unread += 1;
        }
    }

    /// What came of a fetch that was noted, of so many bytes that were counted; returns whom to wake.
    pub(crate) fn end(
        &mut self,
        id: ChunkId,
        bytes: u64,
        outcome: Result<Bytes, ObjectError>,
        now: Monotonic,
    ) -> Vec<Wake> {
        self.bytes -= bytes;
        let chunk = match outcome {
            Ok(bytes) => {
                self.bytes += bytes.len() as u64;
                self.clock += 1;
                self.order.insert((self.clock, id));
                let position = id.position();
                Chunk::Ready(Ready {
                    bytes,
                    position,
                    used: self.clock,
                    used_at: now,
                    was_read: false,
                    read_upto: 0,
                    needed_from: position,
                })
            }
            Err(error) => {
                self.failures.push_back((now, id));
                Chunk::Failed { error, at: now }
            }
        };
        match self.chunks.insert(id, chunk) {
            Some(Chunk::Filling { waiters }) => waiters,
            _ => Vec::new(),
        }
    }

    fn note_gone(&mut self, id: ChunkId) {
        if self.gone_ids.insert(id) {
            self.gone.push_back(id);
            if self.gone.len() > GONE_MAX
                && let Some(oldest) = self.gone.pop_front()
            {
                self.gone_ids.remove(&oldest);
            }
        }
    }

    /// Whether the chunk was here before, and was read.
    pub(crate) fn was_gone(&self, id: ChunkId) -> bool {
        self.gone_ids.contains(&id)
    }

    /// A reader got these bytes of the object, and will look at what stands at `needed_from` next. Gives the chunk, if it is whole
    /// and gave them, or some behind them, to somebody before.
    pub(crate) fn served(&mut self, id: ChunkId, span: &Range<u32>, needed_from: u32) -> Option<Bytes> {
        let Some(Chunk::Ready(ready)) = self.chunks.get_mut(&id) else { return None };
        let is_again = span.start < ready.read_upto && ready.position == id.position();
        ready.read_upto = span.end.max(ready.read_upto);
        ready.needed_from = needed_from.clamp(ready.position, ready.end());
        // Batches are looked for from a little before where they stand, so the end alone does not make it spent.
        if needed_from >= ready.end() && self.order.remove(&(ready.used, id)) {
            self.spent.insert((ready.used, id));
        }
        is_again.then(|| ready.bytes.clone())
    }

    /// Forgets old failures, of objects that may be gone for good.
    pub(crate) fn sweep(&mut self, now: Monotonic) {
        while let Some((_, id)) = self.failures.pop_front_if(|(at, _)| now.since(*at) >= FAILED_FOR) {
            // It may have failed again since, or be on its way.
            if matches!(self.chunks.get(&id), Some(Chunk::Failed { at, .. }) if now.since(*at) >= FAILED_FOR)
            {
                self.chunks.remove(&id);
            }
        }
    }
}

#[cfg(test)]
#[path = "chunks_test.rs"]
mod tests;
