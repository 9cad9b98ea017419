//! `Cold`: looks for offsets and times in the tier, and fetches what is missing.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use aquifer_disk::FileHandle;
use aquifer_manifest::{CHUNK_BYTES, Footer, Place, TierRange};
use aquifer_objects::{ObjectError, Operation, Problem, Store};
use aquifer_runtime::{Monotonic, Runtime};
use aquifer_types::{Offset, TimestampMs};
use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::ahead::Ahead;
use crate::chunks::{ChunkId, Chunks, Lookup, Wake};
use crate::counters::Counters;
use crate::desk::Desk;
use crate::fill::{Fill, chunk_fill, footer_fill, object};
use crate::footers::Footers;
use crate::hedges::Hedges;
use crate::keep::{self, OnShelf, Writes};
use crate::scan::{Batches, Run, Scanned};
use crate::shelf::Shelf;
use crate::shelved::Shelved;

/// Requests for footers at a time.
const FOOTERS_MAX: usize = 16;

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
    pub(crate) limits: Limits,
    pub(crate) counters: Counters,
    /// Requests for footers, which are small and wait for nobody's chunks.
    pub(crate) small: Semaphore,
    pub(crate) hedges: Mutex<Hedges>,
    pub(crate) shelf: Option<Shelf>,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) chunks: Chunks,
    pub(crate) desk: Desk<Fill>,
    /// How often the store had asked for fewer requests when it was last looked.
    pub(crate) throttled: u64,
    pub(crate) footers: Footers,
    pub(crate) ahead: Ahead,
    pub(crate) shelved: Shelved,
    /// Chunks in files of the store itself, where that is a folder of this machine.
    pub(crate) lent: Shelved,
    pub(crate) lending_rests_until: Monotonic,
    pub(crate) writes: Writes,
}

/// What a reader asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub place: Place,
    /// Readers take turns, whatever each of them asks for.
    pub reader: u64,
    /// From the one that holds `from` on.
    pub ranges: &'a [TierRange],
    pub from: Offset,
    /// Nothing at or beyond.
    pub upto: Offset,
    pub bytes_max: u64,
}

/// Who asks, and when.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) place: &'a Place,
    pub(crate) reader: u64,
    pub(crate) now: Monotonic,
    pub(crate) wake: Option<&'a Wake>,
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
        let small = Semaphore::new(FOOTERS_MAX);
        let (shelf, shelved) = keep::open(shelf, runtime).await;
        let counters = Counters::default();
        counters.disk_held_bytes.store(shelved.bytes(), std::sync::atomic::Ordering::Relaxed);
        let state = Mutex::new(State {
            chunks: Chunks::default(),
            desk: Desk::new(limits.fetches_max),
            throttled: store.counters().throttled(),
            footers: Footers::default(),
            ahead: Ahead::default(),
            shelved,
            lent: Shelved::default(),
            lending_rests_until: Monotonic::default(),
            writes: Writes::default(),
        });
        let (runtime, hedges) = (runtime.clone(), Mutex::default());
        Cold { inner: Arc::new(Inner { store, runtime, limits, counters, small, hedges, shelf, state }) }
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
        let now = self.inner.runtime.now().monotonic;
        let ask = Ask { place: &wanted.place, reader: wanted.reader, now, wake };
        // Whoever waits may find room now that time has passed.
        self.begin_next(&mut state, now);
        let footer = match self.footer(&mut state, &ask, range) {
            Ok(footer) => footer,
            Err(unread) => return unread,
        };
        match self.look_on_shelf(&mut state, wanted, (range, &footer), wake) {
            OnShelf::Found { parts, next } => {
                state.ahead.moved(wanted.place.partition, wanted.from, next, now);
                self.fetch_ahead(&mut state, wanted, &ask, next, &footer);
                return Found::Ready { parts, next };
            }
            OnShelf::Opening => return Found::Filling,
            OnShelf::Nothing => {}
        }
        let at = footer.floor_by_offset(wanted.from);
        let enough = u64::from(at) + wanted.bytes_max + u64::from(CHUNK_BYTES);
        let upto = self.memory_end(&state, wanted, (range, &footer));
        let scan = |run: &Run| run.batches(at, wanted.from, upto, wanted.bytes_max);
        let found = match self.scan(&mut state, &ask, (range, &footer), (at, enough), scan) {
            Ok(found) => found,
            Err(unread) => return unread,
        };
        state.ahead.moved(wanted.place.partition, wanted.from, found.next, now);
        let bytes: usize = found.parts.iter().map(Bytes::len).sum();
        Counters::add(&self.inner.counters.served_bytes, bytes as u64);
        let needed_from =
            if found.next < range.end { footer.floor_by_offset(found.next) } else { range.bytes };
        self.keep_what_is_read_again(&mut state, range, &found.span, needed_from);
        self.begin_next(&mut state, now);
        self.fetch_ahead(&mut state, wanted, &ask, found.next, &footer);
        let parts = found.parts.into_iter().map(Part::Memory).collect();
        Found::Ready { parts, next: found.next }
    }

    /// The batch of a range that holds its first record of this time or a later one.
    #[must_use]
    pub fn at_time(
        &self,
        (place, reader): (&Place, u64),
        range: &TierRange,
        time: TimestampMs,
        wake: Option<&Wake>,
    ) -> TimeFound {
        let mut state = self.inner.state();
        let now = self.inner.runtime.now().monotonic;
        let ask = Ask { place, reader, now, wake };
        self.begin_next(&mut state, now);
        let found = self.footer(&mut state, &ask, range).and_then(|footer| {
            let at = footer.floor_by_time(time);
            let enough = u64::from(at) + u64::from(CHUNK_BYTES);
            self.scan(&mut state, &ask, (range, &footer), (at, enough), |run| run.at_time(at, time))
        });
        match found {
            Ok(found) => TimeFound::Ready(found.parts),
            Err(Found::Failed(error)) => TimeFound::Failed(error),
            Err(_) => TimeFound::Filling,
        }
    }

    fn footer(&self, state: &mut State, ask: &Ask<'_>, range: &TierRange) -> Result<Arc<Footer>, Found> {
        if let Some(footer) = state.footers.get(object(range)) {
            return Ok(footer);
        }
        let key = ask.place.key(range);
        let id = ChunkId { object: object(range), chunk: None };
        let (bytes, _) = self.look(state, ask, (id, 0), || footer_fill(ask.place, range))?;
        // It was checked when it came.
        let footer = Footer::decode(&bytes).map_err(|error| corrupt(&key, &error.to_string()))?;
        let footer = Arc::new(footer);
        state.footers.keep(object(range), footer.clone());
        Ok(footer)
    }

    /// Puts the chunks together that are here, from the one that holds `at` on, until `scan` is content.
    fn scan(
        &self,
        state: &mut State,
        ask: &Ask<'_>,
        (range, footer): (&TierRange, &Footer),
        (at, enough): (u32, u64),
        scan: impl Fn(&Run) -> Scanned<Batches>,
    ) -> Result<Batches, Found> {
        let first = at / CHUNK_BYTES;
        let mut run = Run { position: at, chunks: Vec::new() };
        let count = range.bytes.div_ceil(CHUNK_BYTES);
        let mut unread = None;
        let mut next = first;
        while next < count {
            let id = ChunkId { object: object(range), chunk: Some(next) };
            let has_enough = u64::from(next) * u64::from(CHUNK_BYTES) >= enough;
            // Chunks behind the first are read if they are here, and fetched only if they must be.
            if next > first && (has_enough || !state.chunks.is_known(id)) {
                break;
            }
            let from = at.max(next * CHUNK_BYTES);
            match self.look(state, ask, (id, from), || chunk_fill(ask.place, range, footer, next)) {
                Ok((bytes, position)) => run.push(bytes, position),
                Err(why) => {
                    unread = Some(why);
                    break;
                }
            }
            next += 1;
        }
        loop {
            match scan(&run) {
                Scanned::Found(found) => return Ok(found),
                Scanned::Damaged => {
                    return Err(corrupt(&ask.place.key(range), "no batch stands where one should"));
                }
                Scanned::Beyond => {}
            }
            if let Some(why) = unread {
                return Err(why);
            }
            if next >= count {
                return Err(corrupt(&ask.place.key(range), "the object ends before what it should hold"));
            }
            let id = ChunkId { object: object(range), chunk: Some(next) };
            let from = next * CHUNK_BYTES;
            match self.look(state, ask, (id, from), || chunk_fill(ask.place, range, footer, next)) {
                Ok((bytes, position)) => run.push(bytes, position),
                Err(why) => unread = Some(why),
            }
            next += 1;
        }
    }

    /// The bytes from `from` in the object on, or a little before, and where they begin; or what keeps them away. What nobody
    /// fetches is fetched.
    fn look(
        &self,
        state: &mut State,
        ask: &Ask<'_>,
        (id, from): (ChunkId, u32),
        fill: impl FnOnce() -> Fill,
    ) -> Result<(Bytes, u32), Found> {
        let counters = &self.inner.counters;
        match state.chunks.look(id, from, ask.now, ask.wake) {
            Lookup::Ready { bytes, position } => {
                Counters::add(&counters.hits, 1);
                Ok((bytes, position))
            }
            Lookup::Filling => {
                Counters::add(&counters.joins, 1);
                Err(Found::Filling)
            }
            Lookup::Failed(error) => Err(Found::Failed(error)),
            Lookup::Absent => {
                self.want(state, ask, fill());
                state.chunks.look(id, from, ask.now, ask.wake);
                Err(Found::Filling)
            }
        }
    }

    /// Fetches what a reader at `next` will want, within its window and the pool.
    fn fetch_ahead(
        &self,
        state: &mut State,
        wanted: &Wanted<'_>,
        ask: &Ask<'_>,
        next: Offset,
        footer: &Arc<Footer>,
    ) {
        let chunks_max = self.inner.limits.pool_bytes_max / u64::from(CHUNK_BYTES);
        // A quarter stays for those who have just begun.
        let chunks_max = usize::try_from(chunks_max).unwrap_or(usize::MAX) / 4 * 3;
        let mut left = state.ahead.window(wanted.place.partition, next, ask.now, chunks_max);
        let mut known = Some(footer.clone());
        for range in wanted.ranges {
            if left == 0 || range.base >= wanted.upto {
                return;
            }
            if range.end <= next {
                known = None;
                continue;
            }
            let Some(footer) = known.take().or_else(|| state.footers.get(object(range))) else {
                // Its chunks cannot be checked without it, so it comes first.
                let unheard = Ask { wake: None, ..*ask };
                let fetched = self.footer(state, &unheard, range);
                drop(fetched);
                return;
            };
            let first = footer.floor_by_offset(next.max(range.base)) / CHUNK_BYTES;
            for chunk in first..range.bytes.div_ceil(CHUNK_BYTES) {
                let id = ChunkId { object: object(range), chunk: Some(chunk) };
                let fill = || chunk_fill(&wanted.place, range, &footer, chunk);
                let is_coming = state.chunks.is_known(id) || self.is_on_shelf(state, id, fill);
                if !is_coming && !self.begin_ahead(state, ask.now, fill()) {
                    return;
                }
                left -= 1;
                if left == 0 {
                    return;
                }
            }
        }
    }
}

impl Inner {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("looking at chunks does not panic")
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
