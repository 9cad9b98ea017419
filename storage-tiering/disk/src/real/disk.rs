//! `RealDisk`: names, directories, locks and space.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use super::file::RealFile;
use crate::error::DiskError;
use crate::traits::{DirectoryLock, Disk, Entry, FileHandle, OpenMode, Space};

/// The machine's own file system.
#[derive(Debug, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct HeldLock(#[allow(dead_code, reason = "held, never read: closing it unlocks")] fs::File);

impl DirectoryLock for HeldLock {}

impl Disk for RealDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<FileHandle, DiskError> {
        let failed = |source| DiskError { attempted: "open", path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(mode != OpenMode::Read);
        options.create(matches!(mode, OpenMode::Create | OpenMode::CreateDirect));
        if mode == OpenMode::CreateDirect {
            match options.clone().custom_flags(libc::O_DIRECT).open(path) {
                Ok(file) => return Ok(Arc::new(RealFile::new(file))),
                // tmpfs and some network file systems have no direct I/O: whole blocks through the page cache then.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(Arc::new(RealFile::new(options.open(path).map_err(failed)?)))
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>, DiskError> {
        let failed = |source| DiskError { attempted: "list", path: directory.to_owned(), source };
        let mut entries = Vec::new();
        for entry in fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let is_dir = entry.file_type().map_err(failed)?.is_dir();
            entries.push(Entry { name: entry.file_name().to_string_lossy().into_owned(), is_dir });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn create_dir(&self, directory: &Path) -> Result<(), DiskError> {
        fs::create_dir_all(directory).map_err(|source| DiskError {
            attempted: "create directory",
            path: directory.to_owned(),
            source,
        })
    }

    fn sync_dir(&self, directory: &Path) -> Result<(), DiskError> {
        fs::File::open(directory).and_then(|opened| opened.sync_all()).map_err(|source| DiskError {
            attempted: "sync directory",
            path: directory.to_owned(),
            source,
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        fs::rename(from, to).map_err(|source| DiskError {
            attempted: "rename",
            path: from.to_owned(),
            source,
        })
    }

    fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        fs::remove_file(path).map_err(|source| DiskError {
            attempted: "remove",
            path: path.to_owned(),
            source,
        })
    }

    fn remove_dir_all(&self, directory: &Path) -> Result<(), DiskError> {
        fs::remove_dir_all(directory).map_err(|source| DiskError {
            attempted: "remove directory",
            path: directory.to_owned(),
            source,
        })
    }

    fn space(&self, directory: &Path) -> Result<Space, DiskError> {
        let failed = |source| DiskError { attempted: "stat volume of", path: directory.to_owned(), source };
        let path = std::ffi::CString::new(directory.as_os_str().as_bytes())
            .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        // SAFETY: statvfs is plain data, for which all zeroes is a valid value.
        let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
        // SAFETY: the path is a C string and `stat` is writable for the length of the call.
        if unsafe { libc::statvfs(path.as_ptr(), &raw mut stat) } != 0 {
            return Err(failed(io::Error::last_os_error()));
        }
        Ok(Space { total_bytes: stat.f_blocks * stat.f_frsize, free_bytes: stat.f_bavail * stat.f_frsize })
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn DirectoryLock>, DiskError> {
        let failed = |source| DiskError { attempted: "lock", path: path.to_owned(), source };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .read(true)
            .open(path)
            .map_err(failed)?;
        // SAFETY: the descriptor is open for as long as `file` lives.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
            return Err(failed(io::Error::last_os_error()));
        }
        Ok(Box::new(HeldLock(file)))
    }
}
