//! Chunks that are read again and again are kept on local disk, and readers are served from there.
//!
//! A chunk that is read once only passes through memory, which is cheaper than writing it. The disk being full, slow or broken
//! is nobody's concern who reads: the chunk then comes from the store.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aquifer_disk::{DiskError, FileHandle};
use aquifer_manifest::{CHUNK_BYTES, Footer, TierRange};
use aquifer_runtime::{Monotonic, Runtime};
use aquifer_types::Offset;
use bytes::Bytes;

use crate::chunks::{ChunkId, Wake};
use crate::cold::{Cold, Inner, Part, State, Wanted};
use crate::counters::Counters;
use crate::fill::{Fill, chunk_fill, object};
use crate::shelf::Shelf;
use crate::shelved::{Shelved, Spot};

/// Chunks being written at a time; others are kept when they are read the next time.
const WRITES_MAX: usize = 4;
/// How long nothing is written after a failure.
const REST: Duration = Duration::from_secs(10);
/// How much goes at a time where others need the space.
const YIELD_BYTES: u64 = 256 << 20;

/// Writes under way, and when the next may begin.
#[derive(Default)]
pub(crate) struct Writes {
    under_way: BTreeMap<ChunkId, u64>,
    rest_until: Monotonic,
}

/// The file of a chunk.
struct Piece {
    file: FileHandle,
    is_fresh: bool,
    /// Where in the file the chunk begins.
    origin: u64,
}

/// What the disk has of what a reader wants.
pub(crate) enum OnShelf {
    Found {
        parts: Vec<Part>,
        next: Offset,
    },
    /// It is being opened, and the reader is woken.
    Opening,
    Nothing,
}

/// What of a shelf can be used.
pub(crate) async fn open(shelf: Option<Shelf>, runtime: &Runtime) -> (Option<Shelf>, Shelved) {
    let mut shelved = Shelved::default();
    let Some(shelf) = shelf else { return (None, shelved) };
    let work = move || {
        let found = shelf.list();
        (shelf, found)
    };
    match runtime.spawn_blocking("list-chunks", work).await {
        Some((shelf, Ok(found))) => {
            for (id, bytes) in found {
                shelved.found(id, bytes);
            }
            let gone = shelved.evict(shelf.bytes_max);
            shelf.remove(&gone);
            ((shelf.bytes_max > 0).then_some(shelf), shelved)
        }
        Some((_, Err(error))) => {
            tracing::warn!(%error, "nothing of the tier is kept on local disk");
            (None, shelved)
        }
        None => (None, shelved),
    }
}

impl Cold {
    /// Ranges of files for a reader, as far as chunks without a gap are there and open. Those that are not open are opened.
    pub(crate) fn look_on_shelf(
        &self,
        state: &mut State,
        wanted: &Wanted<'_>,
        (range, footer): (&TierRange, &Arc<Footer>),
        wake: Option<&Wake>,
    ) -> OnShelf {
        let first = footer.floor_by_offset(wanted.from) / CHUNK_BYTES;
        let last = u64::from(footer.floor_by_offset(wanted.from)) + wanted.bytes_max;
        let mut files = Vec::new();
        let mut is_opening = false;
        for chunk in first..range.bytes.div_ceil(CHUNK_BYTES) {
            if u64::from(chunk) * u64::from(CHUNK_BYTES) > last {
                break;
            }
            let id = ChunkId { object: object(range), chunk: Some(chunk) };
            let mut origin = 0;
            let mut spot = state.shelved.look(id, wake);
            if matches!(spot, Spot::Absent) {
                origin = range.begins() + u64::from(chunk) * u64::from(CHUNK_BYTES);
                spot = self.look_in_store(state, id, wake);
            }
            match spot {
                Spot::Open { file, is_fresh } => {
                    files.push(Piece { file, is_fresh, origin });
                    continue;
                }
                Spot::Closed => {
                    self.begin_open(state, chunk_fill(&wanted.place, range, footer, chunk), wake);
                    is_opening = true;
                }
                Spot::Opening => is_opening = true,
                Spot::Absent => {}
            }
            break;
        }
        let end = (first + files.len() as u32).saturating_mul(CHUNK_BYTES).min(range.bytes);
        match footer.stretch(wanted.from, wanted.upto, wanted.bytes_max, end) {
            Some((span, next)) => {
                let (parts, chunk_away) = parts(&files, first, &span);
                if let Some(chunk) = chunk_away {
                    self.begin_open(state, chunk_fill(&wanted.place, range, footer, chunk), wake);
                    return OnShelf::Opening;
                }
                Counters::add(&self.inner.counters.disk_hits, 1);
                Counters::add(&self.inner.counters.served_bytes, u64::from(span.end - span.start));
                OnShelf::Found { parts, next }
            }
            None if is_opening => OnShelf::Opening,
            None => OnShelf::Nothing,
        }
    }

    /// Where a reader from memory stops: one in the middle of what is on disk where files can be cut, so as to go on from there.
    pub(crate) fn memory_end(
        &self,
        state: &State,
        wanted: &Wanted<'_>,
        (range, footer): (&TierRange, &Footer),
    ) -> Offset {
        let chunk = footer.floor_by_offset(wanted.from) / CHUNK_BYTES;
        let id = ChunkId { object: object(range), chunk: Some(chunk) };
        match state.shelved.has(id) || state.lent.has(id) {
            true => wanted.upto.min(footer.border_after(wanted.from)),
            false => wanted.upto,
        }
    }

    /// Whether the chunk stands on disk; if so, it is opened ahead of its reader.
    pub(crate) fn is_on_shelf(&self, state: &mut State, id: ChunkId, fill: impl FnOnce() -> Fill) -> bool {
        let mut spot = state.shelved.look(id, None);
        if matches!(spot, Spot::Absent) {
            spot = self.look_in_store(state, id, None);
        }
        match spot {
            Spot::Absent => return false,
            Spot::Closed => self.begin_open(state, fill(), None),
            Spot::Open { .. } | Spot::Opening => {}
        }
        true
    }

    fn begin_open(&self, state: &mut State, fill: Fill, wake: Option<&Wake>) {
        if !state.shelved.has(fill.id) {
            self.begin_lend(state, fill, wake);
            return;
        }
        state.shelved.begin_open(fill.id, wake);
        let inner = self.inner.clone();
        self.inner.runtime.spawn("open-chunk", async move {
            let opened = inner.take_down(&fill, false).await;
            let woken = inner.state().shelved.end_open(fill.id, opened.map(|(file, _)| file));
            for wake in woken {
                wake();
            }
        });
    }

    /// Chunks of what was read just now that somebody has read before are worth their place on disk.
    /// `needed_from` is where in the object its reader goes on.
    pub(crate) fn keep_what_is_read_again(
        &self,
        state: &mut State,
        range: &TierRange,
        span: &Range<u32>,
        needed_from: u32,
    ) {
        if span.is_empty() {
            return;
        }
        for chunk in span.start / CHUNK_BYTES..=(span.end - 1) / CHUNK_BYTES {
            let id = ChunkId { object: object(range), chunk: Some(chunk) };
            if let Some(bytes) = state.chunks.served(id, span, needed_from) {
                self.keep(state, id, bytes);
            }
        }
    }

    /// Writes a chunk to disk, and its footer, without which it could not be checked; unless too much is being written.
    pub(crate) fn keep(&self, state: &mut State, id: ChunkId, bytes: Bytes) {
        let Some(footer) = state.footers.get(id.object) else { return };
        let footer_id = ChunkId { object: id.object, chunk: None };
        if self.write(state, id, bytes) && !state.shelved.has(footer_id) {
            self.write(state, footer_id, Bytes::from(footer.encode()));
        }
    }

    /// Whether it is being written.
    fn write(&self, state: &mut State, id: ChunkId, bytes: Bytes) -> bool {
        let inner = &self.inner;
        let Some(shelf) = inner.shelf.clone() else { return false };
        let length = bytes.len() as u64;
        let writes = &mut state.writes;
        // A footer goes with its chunk.
        let is_busy = id.chunk.is_some() && writes.under_way.len() >= WRITES_MAX
            || inner.runtime.now().monotonic < writes.rest_until;
        let under_way: u64 = writes.under_way.values().sum();
        let Some(room) = shelf.bytes_max.checked_sub(under_way + length) else { return false };
        if is_busy || state.shelved.has(id) || writes.under_way.contains_key(&id) {
            return false;
        }
        writes.under_way.insert(id, length);
        let gone = state.shelved.evict(room);
        Counters::add(&inner.counters.disk_evicted, gone.len() as u64);
        let inner = inner.clone();
        self.inner.runtime.spawn("keep-chunk", async move {
            let work = move || {
                shelf.remove(&gone);
                if shelf.is_short(length)? { Ok(None) } else { shelf.write(id, &bytes).map(Some) }
            };
            let written = inner.runtime.spawn_blocking("write-chunk", work).await;
            inner.end_write(id, length, written.unwrap_or(Ok(None)));
        });
        true
    }

    /// Gives up chunks on disk while the volume is short of space for others.
    pub async fn yield_space(&self) {
        let Some(shelf) = self.inner.shelf.clone() else { return };
        loop {
            let held = self.inner.state().shelved.bytes();
            if held == 0 {
                return;
            }
            let asked = shelf.clone();
            let short = self.inner.runtime.spawn_blocking("ask-space", move || asked.is_short(0)).await;
            if !matches!(short, Some(Ok(true))) {
                return;
            }
            let gone = self.inner.state().shelved.evict(held.saturating_sub(YIELD_BYTES));
            if gone.is_empty() {
                return;
            }
            Counters::add(&self.inner.counters.disk_evicted, gone.len() as u64);
            let asked = shelf.clone();
            self.inner.runtime.spawn_blocking("remove-chunks", move || asked.remove(&gone)).await;
            self.inner.tell_disk(&self.inner.state());
        }
    }
}

impl Inner {
    /// The chunk from disk, checked; `None` where it is not there or not right.
    pub(crate) async fn load(&self, fill: &Fill) -> Option<Bytes> {
        let (_, bytes) = self.take_down(fill, true).await?;
        Counters::add(&self.counters.disk_loads, 1);
        bytes
    }

    /// The chunk's file, and its bytes where they are asked for or were never checked.
    async fn take_down(&self, fill: &Fill, is_read: bool) -> Option<(FileHandle, Option<Bytes>)> {
        let shelf = self.shelf.clone()?;
        let id = fill.id;
        let (length, is_checked) = self.state().shelved.about(id)?;
        let work = move || shelf.open(id, length, is_read || !is_checked);
        let opened = self.runtime.spawn_blocking("open-chunk", work).await?;
        let refusal = match &opened {
            Ok((_, bytes)) => bytes.as_ref().and_then(|bytes| fill.refusal(bytes)),
            Err(error) => Some(error.to_string()),
        };
        let Some(refusal) = refusal else { return opened.ok() };
        tracing::warn!(key = fill.key, chunk = ?id.chunk, refusal, "a chunk of the tier on local disk is of no use");
        Counters::add(&self.counters.disk_failures, 1);
        let woken = self.state().shelved.remove(id);
        let shelf = self.shelf.clone()?;
        self.runtime.spawn_blocking("remove-chunk", move || shelf.remove(&[(id, length)])).await;
        for wake in woken {
            wake();
        }
        None
    }

    fn end_write(&self, id: ChunkId, length: u64, written: Result<Option<FileHandle>, DiskError>) {
        let mut state = self.state();
        state.writes.under_way.remove(&id);
        match written {
            Ok(Some(file)) => {
                Counters::add(&self.counters.disk_writes, 1);
                state.shelved.written(id, length, id.chunk.map(|_| file));
            }
            // Space is short, or there was no chance to find out.
            Ok(None) => state.writes.rest_until = self.runtime.now().monotonic.plus(REST),
            Err(error) => {
                tracing::warn!(%error, "a chunk of the tier is not kept on local disk");
                Counters::add(&self.counters.disk_failures, 1);
                state.writes.rest_until = self.runtime.now().monotonic.plus(REST);
            }
        }
        self.tell_disk(&state);
    }

    fn tell_disk(&self, state: &State) {
        self.counters.disk_held_bytes.store(state.shelved.bytes(), Ordering::Relaxed);
    }
}

/// A span of an object in the files of its chunks from `first` on, and a chunk that is not in the page cache: it is loaded where a
/// failure of the disk is noticed, not while it is sent.
fn parts(files: &[Piece], first: u32, span: &Range<u32>) -> (Vec<Part>, Option<u32>) {
    let mut parts = Vec::new();
    for (chunk, Piece { file, is_fresh, origin }) in (first..).zip(files) {
        let begin = chunk * CHUNK_BYTES;
        let from = span.start.max(begin);
        let to = span.end.min(begin.saturating_add(CHUNK_BYTES));
        if from < to {
            let (at, bytes) = (origin + u64::from(from - begin), u64::from(to - from));
            if !is_fresh && !file.is_resident(at, bytes) {
                return (Vec::new(), Some(chunk));
            }
            parts.push(Part::File { file: file.clone(), at, bytes });
        }
    }
    (parts, None)
}
