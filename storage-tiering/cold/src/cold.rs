//! `Cold`: looks for offsets and times in the tier, and fetches what is missing.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use aquifer_disk::FileHandle;
use aquifer_manifest::{CHUNK_BYTES, Footer, Place, TierRange};
use aquifer_objects::{ObjectError, Operation, Problem, Store};
use aquifer_runtime::Runtime;
use aquifer_types::{Offset, TimestampMs};
use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::ahead::Ahead;
use crate::chunks::{ChunkId, Chunks, Lookup, Wake};
use crate::counters::Counters;
use crate::fill::{Fill, chunk_fill, object};
use crate::footers::Footers;
use crate::hedges::Hedges;
use crate::keep::{self, OnShelf, Writes};
use crate::scan::{Batches, Run, Scanned};
use crate::shelf::Shelf;
use crate::shelved::Shelved;

/// What reads of the tier may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Chunks in memory and on their way.
    pub pool_bytes_max: u64,
    /// Requests to the store at a time, but for those that are asked a second time.
    pub fetches_max: usize,
}

/// Reads from the tier. Clones are handles to the same one.
#[derive(Clone)]
pub struct Cold {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) runtime: Runtime,
    limits: Limits,
    pub(crate) counters: Counters,
    pub(crate) slots: Semaphore,
    pub(crate) hedges: Mutex<Hedges>,
    pub(crate) shelf: Option<Shelf>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) chunks: Chunks,
    pub(crate) footers: Footers,
    pub(crate) ahead: Ahead,
    pub(crate) shelved: Shelved,
    pub(crate) writes: Writes,
}

/// What a reader asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub place: Place,
    /// From the one that holds `from` on.
    pub ranges: &'a [TierRange],
    pub from: Offset,
    /// Nothing at or beyond.
    pub upto: Offset,
    pub bytes_max: u64,
}

/// What a reader gets.
#[derive(Clone, Debug)]
pub enum Found {
    /// Whole batches, at least one.
    Ready { parts: Vec<Part>, next: Offset },
    /// It is on its way; whoever waits is woken.
    Filling,
    /// The store does not give it; it is asked again after a while.
    Failed(ObjectError),
}

/// Bytes of an object, wherever they are.
#[derive(Clone, Debug)]
pub enum Part {
    Memory(Bytes),
    /// A range of a file on local disk, which stays readable for as long as the handle is held.
    File {
        file: FileHandle,
        at: u64,
        bytes: u64,
    },
}

/// What a look for a time comes to.
#[derive(Clone, Debug)]
pub enum TimeFound {
    /// The first batch with a record of that time or a later one.
    Ready(Vec<Bytes>),
    Filling,
    Failed(ObjectError),
}

impl Part {
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Part::Memory(bytes) => bytes.len() as u64,
            Part::File { bytes, .. } => *bytes,
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { pool_bytes_max: 256 << 20, fetches_max: 32 }
    }
}

impl Cold {
    /// Finds what stands on the shelf; a shelf that cannot be read is none.
    pub async fn open(store: Store, limits: Limits, shelf: Option<Shelf>, runtime: &Runtime) -> Cold {
        let slots = Semaphore::new(limits.fetches_max);
        let (shelf, shelved) = keep::open(shelf, runtime).await;
        let counters = Counters::default();
        counters.disk_held_bytes.store(shelved.bytes(), std::sync::atomic::Ordering::Relaxed);
        let state = Mutex::new(State { shelved, ..State::default() });
        let (runtime, hedges) = (runtime.clone(), Mutex::default());
        Cold { inner: Arc::new(Inner { store, runtime, limits, counters, slots, hedges, shelf, state }) }
    }

    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// Whole batches from the offset on, as far as they are here; what is not is fetched, and what comes next too.
    #[must_use]
    pub fn read(&self, wanted: &Wanted<'_>, wake: Option<&Wake>) -> Found {
        let Some(range) = wanted.ranges.first() else { return missing(wanted) };
        let mut state = self.inner.state();
        let footer = match self.footer(&mut state, &wanted.place, range, wake) {
            Ok(footer) => footer,
            Err(unread) => return unread,
        };
        match self.look_on_shelf(&mut state, wanted, (range, &footer), wake) {
            OnShelf::Found { parts, next } => {
                state.ahead.moved(wanted.place.partition, wanted.from, next);
                self.fetch_ahead(&mut state, wanted, next, &footer);
                return Found::Ready { parts, next };
            }
            OnShelf::Opening => return Found::Filling,
            OnShelf::Nothing => {}
        }
        let at = footer.floor_by_offset(wanted.from);
        let enough = u64::from(at) + wanted.bytes_max + u64::from(CHUNK_BYTES);
        let upto = self.memory_end(&state, wanted, (range, &footer));
        let scan = |run: &Run| run.batches(at, wanted.from, upto, wanted.bytes_max);
        let found = match self.scan(&mut state, (&wanted.place, range, &footer), (at, enough), wake, scan) {
            Ok(found) => found,
            Err(unread) => return unread,
        };
        state.ahead.moved(wanted.place.partition, wanted.from, found.next);
        let bytes: usize = found.parts.iter().map(Bytes::len).sum();
        Counters::add(&self.inner.counters.served_bytes, bytes as u64);
        self.keep_what_is_read_again(&mut state, range, &found.span);
        self.fetch_ahead(&mut state, wanted, found.next, &footer);
        let parts = found.parts.into_iter().map(Part::Memory).collect();
        Found::Ready { parts, next: found.next }
    }

    /// The batch of a range that holds its first record of this time or a later one.
    #[must_use]
    pub fn at_time(
        &self,
        place: &Place,
        range: &TierRange,
        time: TimestampMs,
        wake: Option<&Wake>,
    ) -> TimeFound {
        let mut state = self.inner.state();
        let found = self.footer(&mut state, place, range, wake).and_then(|footer| {
            let at = footer.floor_by_time(time);
            let enough = u64::from(at) + u64::from(CHUNK_BYTES);
            self.scan(&mut state, (place, range, &footer), (at, enough), wake, |run| run.at_time(at, time))
        });
        match found {
            Ok(found) => TimeFound::Ready(found.parts),
            Err(Found::Failed(error)) => TimeFound::Failed(error),
            Err(_) => TimeFound::Filling,
        }
    }

    fn footer(
        &self,
        state: &mut State,
        place: &Place,
        range: &TierRange,
        wake: Option<&Wake>,
    ) -> Result<Arc<Footer>, Found> {
        if let Some(footer) = state.footers.get(object(range)) {
            return Ok(footer);
        }
        let id = ChunkId { object: object(range), chunk: None };
        let fill = || Fill {
            id,
            key: place.key(range),
            from: u64::from(range.bytes),
            to: range.object_bytes(),
            crc: None,
            check: Some(*range),
        };
        let bytes = self.look(state, id, wake, fill)?;
        // It was checked when it came.
        let footer =
            Footer::decode(&bytes).map_err(|error| corrupt(&place.key(range), &error.to_string()))?;
        let footer = Arc::new(footer);
        state.footers.keep(object(range), footer.clone());
        Ok(footer)
    }

    /// Puts the chunks together that are here, from the one that holds `at` on, until `scan` is content.
    fn scan(
        &self,
        state: &mut State,
        (place, range, footer): (&Place, &TierRange, &Footer),
        (at, enough): (u32, u64),
        wake: Option<&Wake>,
        scan: impl Fn(&Run) -> Scanned<Batches>,
    ) -> Result<Batches, Found> {
        let first = at / CHUNK_BYTES;
        let mut run = Run { position: first * CHUNK_BYTES, chunks: Vec::new() };
        let count = range.bytes.div_ceil(CHUNK_BYTES);
        let mut unread = None;
        for chunk in first..count {
            let id = ChunkId { object: object(range), chunk: Some(chunk) };
            // Chunks behind the first are read if they are here, and fetched only if they must be.
            if chunk > first && !state.chunks.is_known(id) {
                break;
            }
            match self.look(state, id, wake, || chunk_fill(place, range, footer, chunk)) {
                Ok(bytes) => run.chunks.push(bytes),
                Err(why) => {
                    unread = Some(why);
                    break;
                }
            }
            if u64::from(chunk + 1) * u64::from(CHUNK_BYTES) >= enough {
                break;
            }
        }
        loop {
            match scan(&run) {
                Scanned::Found(found) => return Ok(found),
                Scanned::Damaged => {
                    return Err(corrupt(&place.key(range), "no batch stands where one should"));
                }
                Scanned::Beyond => {}
            }
            if let Some(why) = unread {
                return Err(why);
            }
            let next = first + run.chunks.len() as u32;
            if next >= count {
                return Err(corrupt(&place.key(range), "the object ends before what it should hold"));
            }
            let id = ChunkId { object: object(range), chunk: Some(next) };
            match self.look(state, id, wake, || chunk_fill(place, range, footer, next)) {
                Ok(bytes) => run.chunks.push(bytes),
                Err(why) => unread = Some(why),
            }
        }
    }

    /// The bytes, or what keeps them away; what nobody fetches is fetched.
    fn look(
        &self,
        state: &mut State,
        id: ChunkId,
        wake: Option<&Wake>,
        fill: impl FnOnce() -> Fill,
    ) -> Result<Bytes, Found> {
        let counters = &self.inner.counters;
        let now = self.inner.runtime.now().monotonic;
        match state.chunks.look(id, now, wake) {
            Lookup::Ready(bytes) => {
                Counters::add(&counters.hits, 1);
                Ok(bytes)
            }
            Lookup::Filling => {
                Counters::add(&counters.joins, 1);
                Err(Found::Filling)
            }
            Lookup::Failed(error) => Err(Found::Failed(error)),
            Lookup::Absent => {
                self.begin(state, fill(), true);
                state.chunks.look(id, now, wake);
                Err(Found::Filling)
            }
        }
    }

    /// Fetches what a reader at `next` will want, within its window and the pool.
    fn fetch_ahead(&self, state: &mut State, wanted: &Wanted<'_>, next: Offset, footer: &Arc<Footer>) {
        let mut left = state.ahead.window(wanted.place.partition, next);
        let mut known = Some(footer.clone());
        for range in wanted.ranges {
            if left == 0 || range.base >= wanted.upto {
                return;
            }
            let Some(footer) = known.take().or_else(|| state.footers.get(object(range))) else {
                // Its chunks cannot be checked without it, so it comes first.
                let fetched = self.footer(state, &wanted.place, range, None);
                drop(fetched);
                return;
            };
            if range.end <= next {
                continue;
            }
            let first = footer.floor_by_offset(next.max(range.base)) / CHUNK_BYTES;
            for chunk in first..range.bytes.div_ceil(CHUNK_BYTES) {
                let id = ChunkId { object: object(range), chunk: Some(chunk) };
                let fill = || chunk_fill(&wanted.place, range, &footer, chunk);
                let is_coming = state.chunks.is_known(id) || self.is_on_shelf(state, id, fill);
                if !is_coming && !self.begin(state, fill(), false) {
                    return;
                }
                left -= 1;
                if left == 0 {
                    return;
                }
            }
        }
    }

    /// Begins to fetch; `false` if there is no room for what can wait.
    fn begin(&self, state: &mut State, fill: Fill, must: bool) -> bool {
        let inner = &self.inner;
        let bytes = fill.to - fill.from;
        if !state.chunks.begin(fill.id, bytes, inner.limits.pool_bytes_max, must) {
            return false;
        }
        Counters::add(&inner.counters.fills, 1);
        inner.tell(state);
        let task = inner.clone();
        inner.runtime.spawn("fetch-chunk", async move {
            let outcome = task.fetch(&fill).await;
            if let Err(error) = &outcome {
                Counters::add(&task.counters.failures, 1);
                tracing::warn!(%error, "a part of the tier cannot be read");
            }
            let now = task.runtime.now().monotonic;
            let woken = {
                let mut state = task.state();
                if let Ok(found) = &outcome
                    && state.chunks.was_gone(fill.id)
                {
                    Cold { inner: task.clone() }.keep(&mut state, fill.id, found.clone());
                }
                let woken = state.chunks.end(fill.id, bytes, outcome, now);
                state.chunks.sweep(now);
                task.tell(&mut state);
                woken
            };
            for wake in woken {
                wake();
            }
        });
        true
    }
}

impl Inner {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("looking at chunks does not panic")
    }

    fn tell(&self, state: &mut State) {
        self.counters.held_bytes.store(state.chunks.bytes(), std::sync::atomic::Ordering::Relaxed);
        Counters::add(&self.counters.evicted_unread, std::mem::take(&mut state.chunks.evicted_unread));
    }
}

impl fmt::Debug for Cold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cold").field("limits", &self.inner.limits).finish_non_exhaustive()
    }
}

fn corrupt(key: &str, message: &str) -> Found {
    Found::Failed(ObjectError::new(Operation::Read, key, Problem::Corrupt, message))
}

fn missing(wanted: &Wanted<'_>) -> Found {
    let message = format!("no range holds offset {}", wanted.from);
    Found::Failed(ObjectError::new(Operation::Read, &wanted.place.prefix(), Problem::Missing, message))
}
