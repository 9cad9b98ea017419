//! `Disk` and `File`: the seam between whoever decides and whatever stores.

use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use crate::error::{DiskError, WriteError};

/// An open file that owns its descriptor: whoever holds the handle keeps the bytes readable, even past an unlink.
pub type FileHandle = Arc<dyn File>;

/// Held while this process owns a data directory; dropping it lets another process in.
pub trait DirectoryLock: Send + Sync + fmt::Debug {}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// It must exist; nothing is written.
    Read,
    /// It must exist.
    Write,
    /// It is created if it does not exist.
    Create,
    /// As `Create`, past the page cache where the file system can: offsets, lengths and memory are whole blocks.
    CreateDirect,
}

/// A directory's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub is_dir: bool,
}

/// How full a volume is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total_bytes: u64,
    pub free_bytes: u64,
}

/// A file system. Names and directories are durable only after `sync_dir` of the directory that holds them.
pub trait Disk: Send + Sync + fmt::Debug {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<FileHandle, DiskError>;

    /// Entries in the order of their names.
    fn list(&self, directory: &Path) -> Result<Vec<Entry>, DiskError>;

    /// Creates the directory and those above it.
    fn create_dir(&self, directory: &Path) -> Result<(), DiskError>;

    fn sync_dir(&self, directory: &Path) -> Result<(), DiskError>;

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;

    fn remove_file(&self, path: &Path) -> Result<(), DiskError>;

    fn remove_dir_all(&self, directory: &Path) -> Result<(), DiskError>;

    fn space(&self, directory: &Path) -> Result<Space, DiskError>;

    /// Locks `path` (a file, created if need be) against other processes, or says who cannot be waited for.
    fn lock(&self, path: &Path) -> Result<Box<dyn DirectoryLock>, DiskError>;
}

/// An open file.
pub trait File: Send + Sync + fmt::Debug {
    fn size(&self) -> io::Result<u64>;

    /// Reads until `buffer` is full or the file ends; returns how much was read.
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `parts`, one after the other.
    fn write_at(&self, at: u64, parts: &[IoSlice<'_>]) -> Result<(), WriteError>;

    /// Makes data and size durable. After a failure nothing about the file's cached pages can be trusted.
    fn sync(&self) -> io::Result<()>;

    fn set_size(&self, bytes: u64) -> io::Result<()>;

    /// Asks the system to begin writing a range back, without waiting; a hint.
    fn begin_write_back(&self, at: u64, bytes: u64);

    /// Brings the range into the page cache; returns how much of it there is.
    fn load(&self, at: u64, bytes: u64) -> io::Result<u64> {
        self.load_by_reading(at, bytes)
    }

    /// As `load`, where nothing cheaper than a copy is to be had.
    fn load_by_reading(&self, at: u64, bytes: u64) -> io::Result<u64> {
        let mut copied = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
        self.read_at(at, &mut copied).map(|read| read as u64)
    }

    /// Whether reading the range would not wait for the device.
    fn is_resident(&self, at: u64, bytes: u64) -> bool;

    /// The descriptor for sendfile, where there is one.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
}

impl dyn File + '_ {
    /// Reads exactly the range, or fails with `UnexpectedEof`.
    pub fn read_exact_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self.read_at(at, buffer)? {
            read if read == buffer.len() => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl dyn Disk + '_ {
    /// The whole file; refused above `bytes_max`, so that a damaged size cannot exhaust memory.
    pub fn read(&self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, DiskError> {
        let file = self.open(path, OpenMode::Read)?;
        let failed = |source| DiskError { attempted: "read", path: path.to_owned(), source };
        let bytes = file.size().map_err(failed)?;
        if bytes > bytes_max {
            return Err(failed(io::ErrorKind::FileTooLarge.into()));
        }
        let mut contents = vec![0; usize::try_from(bytes).expect("bounded by the caller")];
        file.read_exact_at(0, &mut contents).map_err(failed)?;
        Ok(contents)
    }

    /// Replaces `path` atomically and durably: write aside, sync, rename, sync the directory.
    pub fn replace(&self, path: &Path, contents: &[u8]) -> Result<(), DiskError> {
        let aside = path.with_extension("tmp");
        let failed = |attempted, source| DiskError { attempted, path: aside.clone(), source };
        let file = self.open(&aside, OpenMode::Create)?;
        file.set_size(0).map_err(|source| failed("truncate", source))?;
        file.write_at(0, &[IoSlice::new(contents)]).map_err(|error| failed("write", error.source))?;
        file.sync().map_err(|source| failed("sync", source))?;
        self.rename(&aside, path)?;
        self.sync_dir(path.parent().unwrap_or(Path::new(".")))
    }
}
