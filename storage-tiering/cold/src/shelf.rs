//! `Shelf`: a folder of chunks on local disk. A file is written once, under the chunk's own name, and never again: it goes as
//! a whole, and whoever sends from it meanwhile keeps it by its handle.
//!
//! Nothing is synced. What a crash left of a file is told by the chunk's checksum, before anything is served from it.

use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::Arc;

use aquifer_disk::{Disk, DiskError, FileHandle, OpenMode};
use bytes::Bytes;

use crate::chunks::ChunkId;

/// What is left free for others, of the volume and at least and most: twice what a log's directory keeps for itself.
const FREE_PART: u64 = 10;
const FREE_BYTES: std::ops::RangeInclusive<u64> = (8 << 20)..=(10 << 30);

/// Where chunks are kept beside memory.
#[derive(Clone, Debug)]
pub struct Shelf {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    pub(crate) bytes_max: u64,
}

impl Shelf {
    /// A folder that nobody else writes to, made when it is first needed; nothing is kept where `bytes_max` is 0.
    pub fn new(disk: Arc<dyn Disk>, folder: PathBuf, bytes_max: u64) -> Shelf {
        Shelf { disk, folder, bytes_max }
    }

    /// The chunks that are there, by their names alone; what is none of them goes. Waits for the disk.
    pub(crate) fn list(&self) -> Result<Vec<(ChunkId, u64)>, DiskError> {
        if self.bytes_max == 0 {
            return match self.disk.remove_dir_all(&self.folder) {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(Vec::new()),
            };
        }
        self.disk.create_dir(&self.folder)?;
        let mut found = Vec::new();
        for entry in self.disk.list(&self.folder)? {
            match parse(&entry.name) {
                Some(chunk) => found.push(chunk),
                None if entry.is_dir => {}
                None => self.disk.remove_file(&self.folder.join(&entry.name))?,
            }
        }
        Ok(found)
    }

    /// Whether the volume has less left than is to be left to others, with `bytes` more in use. Waits for the disk.
    pub(crate) fn is_short(&self, bytes: u64) -> Result<bool, DiskError> {
        let space = self.disk.space(&self.folder)?;
        let kept = (space.total_bytes / FREE_PART).clamp(*FREE_BYTES.start(), *FREE_BYTES.end());
        Ok(space.free_bytes < kept.saturating_add(bytes))
    }

    /// Writes a chunk; it stands under its name only once it is whole. Waits for the disk.
    pub(crate) fn write(&self, id: ChunkId, bytes: &Bytes) -> Result<FileHandle, DiskError> {
        let path = self.path(id, bytes.len() as u64);
        let aside = path.with_extension("tmp");
        let write = || {
            let file = self.disk.open(&aside, OpenMode::Create)?;
            let failed = |source| DiskError { attempted: "write", path: aside.clone(), source };
            file.set_size(0).map_err(failed)?;
            file.write_at(0, &[IoSlice::new(bytes)]).map_err(|error| failed(error.source))?;
            self.disk.rename(&aside, &path)?;
            Ok(file)
        };
        let written = write();
        if written.is_err() {
            // What is left of it may be what the disk is full of.
            let _ = self.disk.remove_file(&aside);
        }
        written
    }

    /// The file of a chunk, in the page cache, and its bytes where they are asked for. Waits for the disk.
    pub(crate) fn open(
        &self,
        id: ChunkId,
        bytes: u64,
        is_read: bool,
    ) -> Result<(FileHandle, Option<Bytes>), DiskError> {
        let path = self.path(id, bytes);
        let file = self.disk.open(&path, OpenMode::Read)?;
        let failed = |source| DiskError { attempted: "read", path: path.clone(), source };
        if file.size().map_err(failed)? != bytes {
            return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
        }
        if !is_read {
            file.load(0, bytes).map_err(failed)?;
            return Ok((file, None));
        }
        let mut read = vec![0; usize::try_from(bytes).expect("a chunk is a few megabytes")];
        file.read_exact_at(0, &mut read).map_err(failed)?;
        Ok((file, Some(Bytes::from(read))))
    }

    /// Waits for the disk.
    pub(crate) fn remove(&self, chunks: &[(ChunkId, u64)]) {
        for (id, bytes) in chunks {
            if let Err(error) = self.disk.remove_file(&self.path(*id, *bytes))
                && !error.is_not_found()
            {
                tracing::warn!(%error, "a chunk of the tier stays on disk until the next start");
            }
        }
    }

    fn path(&self, id: ChunkId, bytes: u64) -> PathBuf {
        self.folder.join(name(id, bytes))
    }
}

/// The object, where in it the range begins, which of its chunks, and how long the chunk is; `f` for the footer.
fn name(id: ChunkId, bytes: u64) -> String {
    let (generation, nonce, base, position) = id.object;
    let chunk = id.chunk.map_or("f".to_owned(), |chunk| chunk.to_string());
    format!("{generation:016x}-{nonce:016x}-{base:020}-{position}-{chunk}-{bytes}")
}

fn parse(text: &str) -> Option<(ChunkId, u64)> {
    let mut parts = text.split('-');
    let generation = u64::from_str_radix(parts.next()?, 16).ok()?;
    let nonce = u64::from_str_radix(parts.next()?, 16).ok()?;
    let base = parts.next()?.parse().ok()?;
    let position = parts.next()?.parse().ok()?;
    let chunk = match parts.next()? {
        "f" => None,
        chunk => Some(chunk.parse().ok()?),
    };
    let bytes = parts.next()?.parse().ok()?;
    let id = ChunkId { object: (generation, nonce, base, position), chunk };
    // A chunk is some megabytes: a name that says more is none of ours.
    (name(id, bytes) == text && bytes <= BYTES_MAX).then_some((id, bytes))
}

const BYTES_MAX: u64 = 64 << 20;
