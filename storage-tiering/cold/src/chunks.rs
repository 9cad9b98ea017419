//! `Chunks`: parts of objects in memory, those on their way, and those that could not be had.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aquifer_objects::ObjectError;
use aquifer_runtime::Monotonic;
use bytes::Bytes;

/// Called when something that was waited for is there, or will not come.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// How long a failure is believed: nobody asks the store again meanwhile.
const FAILED_FOR: Duration = Duration::from_secs(1);
/// Readers that wait for one chunk; more look again by themselves.
const WAITERS_MAX: usize = 1_000;
/// Chunks that are remembered after they had to make room.
const GONE_MAX: usize = 65_536;

/// A chunk of an object, by the object's random number and the chunk's place; footers have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChunkId {
    pub(crate) object: (u64, u64, i64),
    pub(crate) chunk: Option<u32>,
}

/// What is known of a chunk.
pub(crate) enum Chunk {
    Filling {
        waiters: Vec<Wake>,
    },
    Ready {
        bytes: Bytes,
        used: u64,
        was_read: bool,
        /// How far readers have come, as a position in the object.
        read_upto: u32,
    },
    Failed {
        error: ObjectError,
        at: Monotonic,
    },
}

/// What a reader finds.
pub(crate) enum Lookup {
    Ready(Bytes),
    /// Somebody fetches it already.
    Filling,
    Failed(ObjectError),
    /// Nobody does: whoever is told this must.
    Absent,
}

/// All chunks, within a bound.
#[derive(Default)]
pub(crate) struct Chunks {
    chunks: BTreeMap<ChunkId, Chunk>,
    /// By when they were used last.
    order: BTreeSet<(u64, ChunkId)>,
    clock: u64,
    /// Of those that are there and of those on their way.
    bytes: u64,
    pub(crate) evicted_unread: u64,
    /// Chunks that were read and had to make room, the first one first.
    gone: VecDeque<ChunkId>,
    gone_ids: BTreeSet<ChunkId>,
}

impl Chunks {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Looks a chunk up for a reader, who is woken if it has to wait.
    pub(crate) fn look(&mut self, id: ChunkId, now: Monotonic, wake: Option<&Wake>) -> Lookup {
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
            Some(Chunk::Ready { bytes, used, was_read, .. }) => {
                self.order.remove(&(*used, id));
                self.clock += 1;
                *used = self.clock;
                *was_read = true;
                self.order.insert((self.clock, id));
                Lookup::Ready(bytes.clone())
            }
        }
    }

    pub(crate) fn is_known(&self, id: ChunkId) -> bool {
        self.chunks.contains_key(&id)
    }

    /// Notes that a chunk of this size is being fetched; makes room for it. `false` if there is none and it can wait.
    pub(crate) fn begin(&mut self, id: ChunkId, bytes: u64, bytes_max: u64, must: bool) -> bool {
        while self.bytes + bytes > bytes_max {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            if let Some(Chunk::Ready { bytes, was_read, .. }) = self.chunks.remove(&oldest) {
                self.bytes -= bytes.len() as u64;
                self.evicted_unread += u64::from(!was_read);
                if was_read {
                    self.note_gone(oldest);
                }
            }
        }
        if self.bytes + bytes > bytes_max && !must {
            return false;
        }
        self.bytes += bytes;
        self.chunks.insert(id, Chunk::Filling { waiters: Vec::new() });
        true
    }

    /// What came of a fetch that `begin` noted; returns whom to wake.
    pub(crate) fn end(
        &mut self,
        id: ChunkId,
        bytes: u64,
        outcome: Result<Bytes, ObjectError>,
        now: Monotonic,
    ) -> Vec<Wake> {
        self.bytes -= bytes;
        let chunk = match outcome {
            Ok(found) => {
                self.bytes += found.len() as u64;
                self.clock += 1;
                self.order.insert((self.clock, id));
                Chunk::Ready { bytes: found, used: self.clock, was_read: false, read_upto: 0 }
            }
            Err(error) => Chunk::Failed { error, at: now },
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

    /// A reader got these bytes of the object. Gives the chunk if it gave them, or some behind them, to somebody before.
    pub(crate) fn served(&mut self, id: ChunkId, span: &Range<u32>) -> Option<Bytes> {
        let Some(Chunk::Ready { bytes, read_upto, .. }) = self.chunks.get_mut(&id) else { return None };
        let is_again = span.start < *read_upto;
        *read_upto = span.end.max(*read_upto);
        is_again.then(|| bytes.clone())
    }

    /// Forgets old failures, of objects that may be gone for good.
    pub(crate) fn sweep(&mut self, now: Monotonic) {
        self.chunks.retain(|_, chunk| match chunk {
            Chunk::Failed { at, .. } => now.since(*at) < FAILED_FOR,
            _ => true,
        });
    }
}

#[cfg(test)]
mod tests {
    use aquifer_objects::{Operation, Problem};

    use super::*;

    fn id(chunk: u32) -> ChunkId {
        ChunkId { object: (1, 1, 0), chunk: Some(chunk) }
    }

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    #[test]
    fn the_least_used_chunk_makes_room_and_one_on_its_way_never_does() {
        let mut chunks = Chunks::default();
        for chunk in 0..2 {
            assert!(chunks.begin(id(chunk), 10, 20, false));
            chunks.end(id(chunk), 10, Ok(Bytes::from(vec![0; 10])), at(0));
        }
        assert!(matches!(chunks.look(id(0), at(0), None), Lookup::Ready(_)));

        assert!(chunks.begin(id(2), 10, 20, false));

        assert!(chunks.is_known(id(0)) && !chunks.is_known(id(1)));
        assert_eq!((chunks.bytes(), chunks.evicted_unread), (20, 1));
        assert!(chunks.begin(id(3), 10, 20, false), "the one that was read goes next");
        assert!(!chunks.begin(id(4), 10, 20, false), "what is under way is not given up for what can wait");
        assert!(chunks.begin(id(4), 10, 20, true), "but who needs it gets it");
    }

    #[test]
    fn a_failure_is_believed_for_a_while_and_those_who_wait_are_woken() {
        let woken = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let count = woken.clone();
        let wake: Wake = Arc::new(move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        });
        let mut chunks = Chunks::default();
        chunks.begin(id(0), 10, 20, true);
        assert!(matches!(chunks.look(id(0), at(0), Some(&wake)), Lookup::Filling));
        let message = "the store is away";
        let error = ObjectError::new(Operation::Read, "none", Problem::Unavailable, message);

        for wake in chunks.end(id(0), 10, Err(error), at(5)) {
            wake();
        }

        assert_eq!(woken.load(std::sync::atomic::Ordering::Relaxed), 1);
        assert!(matches!(chunks.look(id(0), at(5), None), Lookup::Failed(_)));
        assert!(matches!(chunks.look(id(0), at(6), None), Lookup::Absent));
        assert_eq!(chunks.bytes(), 0);
    }
}
