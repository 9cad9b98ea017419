//! `RealFile`: positional reads and writes, flushes, and whether a range is in the page cache.

use std::fs;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;

use crate::error::WriteError;
use crate::traits::File;

/// Linux refuses more parts than this in one call.
const PARTS_MAX: usize = 1024;
/// cachestat(2) has had this number on every architecture since Linux 6.5.
const SYS_CACHESTAT: libc::c_long = 451;

/// Where loaded pages are sent to.
static NOWHERE: LazyLock<io::Result<fs::File>> =
    LazyLock::new(|| fs::OpenOptions::new().write(true).open("/dev/null"));

#[derive(Debug)]
pub(super) struct RealFile {
    file: fs::File,
}

#[repr(C)]
struct CachestatRange {
    at: u64,
    bytes: u64,
}

#[repr(C)]
#[derive(Default)]
struct Cachestat {
    cached: u64,
    dirty: u64,
    write_back: u64,
    evicted: u64,
    recently_evicted: u64,
}

impl RealFile {
    pub(super) fn new(file: fs::File) -> RealFile {
        RealFile { file }
    }

    /// How many pages of the range are cached, or `None` where the kernel cannot say.
    fn cached_pages(&self, at: u64, bytes: u64) -> Option<u64> {
        let range = CachestatRange { at, bytes };
        let mut stat = Cachestat::default();
        // SAFETY: both structures have the kernel's layout and outlive the call; the descriptor is open.
        let result = unsafe {
            libc::syscall(SYS_CACHESTAT, self.file.as_raw_fd(), &raw const range, &raw mut stat, 0)
        };
        (result == 0).then_some(stat.cached)
    }

    /// Whether one byte can be read without waiting.
    fn reads_at_once(&self, at: u64) -> bool {
        let mut byte = 0u8;
        let part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        // SAFETY: `part` names one writable byte, and the descriptor is open.
        let read = unsafe {
            libc::preadv2(self.file.as_raw_fd(), &raw const part, 1, at.cast_signed(), libc::RWF_NOWAIT)
        };
        read == 1
    }
}

impl File for RealFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, at: u64, parts: &[IoSlice<'_>]) -> Result<(), WriteError> {
        let mut written = 0u64;
        for group in parts.chunks(PARTS_MAX) {
            let mut left = group.to_vec();
            let mut left: &mut [IoSlice<'_>] = &mut left;
            while !left.is_empty() {
                let position = (at + written).cast_signed();
                // SAFETY: an IoSlice has the layout of an iovec, its bytes outlive the call, the descriptor is open.
                let result = unsafe {
                    libc::pwritev(
                        self.file.as_raw_fd(),
                        left.as_ptr().cast(),
                        i32::try_from(left.len()).expect("at most PARTS_MAX"),
                        position,
                    )
                };
                match result {
                    ..0 => {
                        let source = io::Error::last_os_error();
                        if source.kind() != io::ErrorKind::Interrupted {
                            return Err(WriteError { written, source });
                        }
                    }
                    0 if left.iter().any(|part| !part.is_empty()) => {
                        return Err(WriteError { written, source: io::ErrorKind::WriteZero.into() });
                    }
                    taken => {
                        written += taken.unsigned_abs() as u64;
                        IoSlice::advance_slices(&mut left, taken.unsigned_abs());
                    }
                }
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }

    fn begin_write_back(&self, at: u64, bytes: u64) {
        // SAFETY: plain numbers and an open descriptor. A failure only means that write-back begins later.
        unsafe {
            libc::sync_file_range(
                self.file.as_raw_fd(),
                at.cast_signed(),
                bytes.cast_signed(),
                libc::SYNC_FILE_RANGE_WRITE,
            );
        }
    }

    /// Sendfile into nothing: the kernel reads ahead in large folios as it does for read, whose copy would cost more than
    /// the disk, and unlike for advice, which brings in small pages.
    fn load(&self, at: u64, bytes: u64) -> io::Result<u64> {
        let Ok(nowhere) = NOWHERE.as_ref() else { return self.load_by_reading(at, bytes) };
        let mut position = at.cast_signed();
        let end = at + bytes;
        while position.cast_unsigned() < end {
            let left = usize::try_from(end - position.cast_unsigned()).map_err(io::Error::other)?;
            // SAFETY: both descriptors are open, and `position` outlives the call.
            let sent = unsafe {
                libc::sendfile(nowhere.as_raw_fd(), self.file.as_raw_fd(), &raw mut position, left)
            };
            match sent {
                0 => break,
                1.. => {}
                _ => match io::Error::last_os_error() {
                    error if error.kind() == io::ErrorKind::Interrupted => {}
                    // Not every file system splices.
                    error if error.raw_os_error() == Some(libc::EINVAL) => {
                        return self.load_by_reading(at, bytes);
                    }
                    error => return Err(error),
                },
            }
        }
        Ok(position.cast_unsigned() - at)
    }

    fn is_resident(&self, at: u64, bytes: u64) -> bool {
        const PAGE: u64 = 4096;
        if bytes == 0 {
            return true;
        }
        let pages = (at + bytes).div_ceil(PAGE) - at / PAGE;
        match self.cached_pages(at, bytes) {
            Some(cached) => cached >= pages,
            None => self.reads_at_once(at) && self.reads_at_once(at + bytes - 1),
        }
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loaded_range_is_resident_and_ends_with_the_file() {
        let mut file = tempfile::tempfile().expect("a file");
        io::Write::write_all(&mut file, &[7; 100_000]).expect("written");
        file.sync_all().expect("synced");
        // SAFETY: plain numbers and an open descriptor.
        unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
        let file = RealFile::new(file);
        assert_eq!(file.load(4096, 50_000).expect("loaded"), 50_000);
        assert!(file.is_resident(4096, 50_000));
        assert_eq!(file.load(90_000, 50_000).expect("loaded"), 10_000);
        assert_eq!(file.load(200_000, 10).expect("loaded"), 0);
    }
}
