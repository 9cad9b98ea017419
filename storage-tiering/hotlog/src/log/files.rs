//! `FilePool`: opens segments' files when they are needed and keeps a bounded number of them open.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use aquifer_disk::{Disk, DiskError, FileHandle, OpenMode};
use aquifer_types::TopicPartition;

use crate::format::{FormatError, IndexEntry, IndexFile, Layout, SegmentName, Suffix};

/// An index holds at most one entry per 16 KiB of a segment below 4 GiB.
const INDEX_BYTES_MAX: u64 = 8 << 20;
/// Indexes of sealed segments kept in memory, all partitions together.
const CACHED_ENTRIES_MAX: usize = 512 << 10;

/// One segment's file, open or not. Whoever got its handle keeps it open.
#[derive(Debug)]
pub struct SegmentFile {
    pub id: TopicPartition,
    pub name: SegmentName,
    open: Mutex<Option<FileHandle>>,
    recently_used: AtomicBool,
}

/// Open files of one directory, the least recently used closed beyond a limit.
#[derive(Debug)]
pub struct FilePool {
    disk: Arc<dyn Disk>,
    layout: Layout,
    open_max: usize,
    open: Mutex<VecDeque<Weak<SegmentFile>>>,
    indexes: Mutex<VecDeque<CachedIndex>>,
}

/// Least recently used first.
#[derive(Debug)]
struct CachedIndex {
    id: TopicPartition,
    name: SegmentName,
    entries: Arc<Vec<IndexEntry>>,
}

/// A sealed segment's index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Format(#[from] FormatError),
}

impl SegmentFile {
    #[must_use]
    pub fn new(id: TopicPartition, name: SegmentName) -> Arc<SegmentFile> {
        Arc::new(SegmentFile { id, name, open: Mutex::new(None), recently_used: AtomicBool::new(false) })
    }

    /// The handle, if the file is open now.
    #[must_use]
    pub fn handle(&self) -> Option<FileHandle> {
        self.recently_used.store(true, Ordering::Relaxed);
        self.open.lock().expect("opening does not panic").clone()
    }

    /// Its name is gone: the space is free once those who got the handle are done with it.
    pub(crate) fn close(&self) {
        *self.open.lock().expect("opening does not panic") = None;
    }
}

impl FilePool {
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, layout: Layout, open_max: usize) -> FilePool {
        FilePool { disk, layout, open_max, open: Mutex::default(), indexes: Mutex::default() }
    }

    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The open file. Where it must be made, so are its directories; whoever syncs the segment syncs those too.
    pub fn open(&self, segment: &Arc<SegmentFile>, create: bool) -> Result<FileHandle, DiskError> {
        if let Some(handle) = segment.handle() {
            return Ok(handle);
        }
        let path = self.layout.segment(segment.id, segment.name, Suffix::Log);
        let handle = match self.disk.open(&path, OpenMode::Write) {
            Err(error) if create && error.is_not_found() => {
                self.disk.create_dir(&self.layout.partition(segment.id))?;
                self.disk.open(&path, OpenMode::Create)?
            }
            opened => opened?,
        };
        *segment.open.lock().expect("opening does not panic") = Some(handle.clone());
        self.keep(segment);
        Ok(handle)
    }

    /// A sealed segment's index, from memory or from its file.
    pub fn index(&self, segment: &SegmentFile) -> Result<Arc<Vec<IndexEntry>>, IndexError> {
        let mut indexes = self.indexes.lock().expect("caching does not panic");
        if let Some(at) = indexes.iter().position(|held| held.id == segment.id && held.name == segment.name) {
            let held = indexes.remove(at).expect("just found");
            let entries = held.entries.clone();
            indexes.push_back(held);
            return Ok(entries);
        }
        drop(indexes);
        let path = self.layout.segment(segment.id, segment.name, Suffix::Index);
        let entries = Arc::new(IndexFile::decode(&self.disk.read(&path, INDEX_BYTES_MAX)?)?.entries);
        let mut indexes = self.indexes.lock().expect("caching does not panic");
        indexes.push_back(CachedIndex { id: segment.id, name: segment.name, entries: entries.clone() });
        let mut held: usize = indexes.iter().map(|index| index.entries.len()).sum();
        while held > CACHED_ENTRIES_MAX && indexes.len() > 1 {
            held -= indexes.pop_front().map_or(0, |index| index.entries.len());
        }
        Ok(entries)
    }

    fn keep(&self, segment: &Arc<SegmentFile>) {
        let mut open = self.open.lock().expect("keeping does not panic");
        open.push_back(Arc::downgrade(segment));
        let mut second_chances = open.len();
        while open.len() > self.open_max {
            let Some(oldest) = open.pop_front() else { break };
            let Some(file) = oldest.upgrade() else { continue };
            if second_chances > 0 && file.recently_used.swap(false, Ordering::Relaxed) {
                second_chances -= 1;
                open.push_back(oldest);
            } else {
                *file.open.lock().expect("opening does not panic") = None;
            }
        }
    }
}
