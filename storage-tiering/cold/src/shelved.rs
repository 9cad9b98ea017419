//! `Shelved`: which chunks stand on local disk, which of them are open, and which make room for others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use aquifer_disk::FileHandle;

use crate::chunks::{ChunkId, Wake};

/// Files that are held open; others are opened when they are wanted.
const OPEN_MAX: usize = 1_024;
/// Readers that wait for one file; more look again by themselves.
const WAITERS_MAX: usize = 1_000;

/// All chunks on disk, within a bound.
#[derive(Default)]
pub(crate) struct Shelved {
    chunks: BTreeMap<ChunkId, Entry>,
    /// By when they were used last.
    order: BTreeSet<(u64, ChunkId)>,
    /// Those that are open, the first one first.
    opened: VecDeque<ChunkId>,
    clock: u64,
    bytes: u64,
}

struct Entry {
    bytes: u64,
    used: u64,
    /// Whether this process wrote it, or has compared it with its checksum.
    is_checked: bool,
    state: State,
}

enum State {
    Closed,
    Opening {
        waiters: Vec<Wake>,
    },
    Open {
        file: FileHandle,
        /// It was loaded just now, and nobody has looked at it since.
        is_fresh: bool,
    },
}

/// What a reader finds.
pub(crate) enum Spot {
    Absent,
    Open {
        file: FileHandle,
        is_fresh: bool,
    },
    /// Somebody opens it already.
    Opening,
    /// Nobody does: whoever is told this must.
    Closed,
}

impl Shelved {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn has(&self, id: ChunkId) -> bool {
        self.chunks.contains_key(&id)
    }

    /// How long the chunk is, and whether its bytes are known to be right. It counts as used.
    pub(crate) fn about(&mut self, id: ChunkId) -> Option<(u64, bool)> {
        self.look(id, None);
        self.chunks.get(&id).map(|entry| (entry.bytes, entry.is_checked))
    }

    /// A file that was found at the start, and may hold anything.
    pub(crate) fn found(&mut self, id: ChunkId, bytes: u64) {
        self.put(id, bytes, false, State::Closed);
    }

    /// A file that was written just now. Small things nobody sends from are not held open.
    pub(crate) fn written(&mut self, id: ChunkId, bytes: u64, file: Option<FileHandle>) {
        let state = file.map_or(State::Closed, |file| {
            self.opened.push_back(id);
            State::Open { file, is_fresh: false }
        });
        self.put(id, bytes, true, state);
        self.close_some();
    }

    fn put(&mut self, id: ChunkId, bytes: u64, is_checked: bool, state: State) {
        self.remove(id);
        self.clock += 1;
        self.order.insert((self.clock, id));
        self.bytes += bytes;
        self.chunks.insert(id, Entry { bytes, used: self.clock, is_checked, state });
    }

    /// Looks a chunk up for a reader, who is woken if it has to wait.
    pub(crate) fn look(&mut self, id: ChunkId, wake: Option<&Wake>) -> Spot {
        let Some(entry) = self.chunks.get_mut(&id) else { return Spot::Absent };
        self.order.remove(&(entry.used, id));
        self.clock += 1;
        entry.used = self.clock;
        self.order.insert((self.clock, id));
        match &mut entry.state {
            State::Open { file, is_fresh } => {
                Spot::Open { file: file.clone(), is_fresh: std::mem::take(is_fresh) }
            }
            State::Closed => Spot::Closed,
            State::Opening { waiters } => {
                if let Some(wake) = wake.filter(|_| waiters.len() < WAITERS_MAX) {
                    waiters.push(wake.clone());
                }
                Spot::Opening
            }
        }
    }

    /// Somebody opens the file and, where that is to be done, checks it.
    pub(crate) fn begin_open(&mut self, id: ChunkId, wake: Option<&Wake>) {
        if let Some(entry) = self.chunks.get_mut(&id) {
            entry.state = State::Opening { waiters: wake.cloned().into_iter().collect() };
        }
    }

    /// What came of it; returns whom to wake. A file that cannot be used is as good as gone.
    pub(crate) fn end_open(&mut self, id: ChunkId, file: Option<FileHandle>) -> Vec<Wake> {
        let Some(file) = file else { return self.remove(id) };
        let Some(entry) = self.chunks.get_mut(&id) else { return Vec::new() };
        entry.is_checked = true;
        let before = std::mem::replace(&mut entry.state, State::Open { file, is_fresh: true });
        self.opened.push_back(id);
        self.close_some();
        match before {
            State::Opening { waiters } => waiters,
            State::Closed | State::Open { .. } => Vec::new(),
        }
    }

    fn close_some(&mut self) {
        while self.opened.len() > OPEN_MAX {
            let Some(oldest) = self.opened.pop_front() else { return };
            if let Some(entry) = self.chunks.get_mut(&oldest)
                && matches!(entry.state, State::Open { .. })
            {
                entry.state = State::Closed;
            }
        }
    }

    /// Forgets a chunk; returns who waited for it.
    pub(crate) fn remove(&mut self, id: ChunkId) -> Vec<Wake> {
        let Some(entry) = self.chunks.remove(&id) else { return Vec::new() };
        self.order.remove(&(entry.used, id));
        self.bytes -= entry.bytes;
        match entry.state {
            State::Opening { waiters } => waiters,
            State::Open { .. } => {
                self.opened.retain(|opened| *opened != id);
                Vec::new()
            }
            State::Closed => Vec::new(),
        }
    }

    /// Forgets those that were not used for longest until no more than this is left; returns whose files are to go. Whoever
    /// sends from one of them holds it open, and goes on.
    pub(crate) fn evict(&mut self, bytes_max: u64) -> Vec<(ChunkId, u64)> {
        let mut gone = Vec::new();
        while self.bytes > bytes_max {
            let can_go = |entry: &Entry| !matches!(entry.state, State::Opening { .. });
            let mut oldest = self.order.iter().filter_map(|(_, id)| Some((*id, self.chunks.get(id)?)));
            let Some((id, entry)) = oldest.find(|(_, entry)| can_go(entry)) else { break };
            gone.push((id, entry.bytes));
            self.remove(id);
        }
        gone
    }
}
