//! What only the operating system can do: timers that fire on time, sendfile, dropping cached pages, signals.
//!
//! The only file of this crate with unsafe code: each block is one system call.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use tokio::io::unix::AsyncFd;

/// The number of `cachestat`, the same on every architecture that Linux added it to.
const SYS_CACHESTAT: libc::c_long = 451;

/// A timer with the kernel's resolution; tokio's own rounds up to the next millisecond.
pub struct Timer {
    fd: AsyncFd<OwnedFd>,
}

impl Timer {
    pub fn new() -> io::Result<Timer> {
        // SAFETY: takes no pointers.
        let fd =
            unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call above opened this descriptor, and nothing else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: an owned descriptor stays the same and open for as long as it lives.
        let registered = unsafe { AsyncFd::register(fd) };
        Ok(Timer { fd: registered? })
    }

    pub async fn sleep(&mut self, duration: Duration) -> io::Result<()> {
        if duration.is_zero() {
            return Ok(());
        }
        let never_again = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let value = libc::timespec {
            tv_sec: libc::time_t::try_from(duration.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: libc::c_long::from(duration.subsec_nanos().cast_signed()),
        };
        let setting = libc::itimerspec { it_interval: never_again, it_value: value };
        // SAFETY: `setting` outlives the call, and null asks for no old value.
        let set = unsafe {
            libc::timerfd_settime(self.fd.as_raw_fd(), 0, &raw const setting, std::ptr::null_mut())
        };
        if set < 0 {
            return Err(io::Error::last_os_error());
        }
        loop {
            let mut ready = self.fd.readable().await?;
            let mut expirations = [0u8; 8];
            let fired = ready.try_io(|fd| {
                // SAFETY: the buffer has the eight bytes that a timer writes.
                let read =
                    unsafe { libc::read(fd.as_raw_fd(), expirations.as_mut_ptr().cast(), expirations.len()) };
                if read < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
            });
            if let Ok(fired) = fired {
                return fired;
            }
        }
    }
}

/// Sends up to `count` bytes of `file` from `offset` on; says how many were sent.
pub fn send_file(socket: BorrowedFd<'_>, file: &File, offset: u64, count: usize) -> io::Result<usize> {
    let mut offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
    // SAFETY: both descriptors are open for as long as they are borrowed, and `offset` outlives the call.
    let sent = unsafe { libc::sendfile(socket.as_raw_fd(), file.as_raw_fd(), &raw mut offset, count) };
    usize::try_from(sent).map_err(|_negative| io::Error::last_os_error())
}

/// Drops the file's clean pages from the page cache. What is dirty stays, so sync it first.
pub fn drop_cached(file: &File) -> io::Result<()> {
    // SAFETY: takes no pointers.
    let error = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

/// How many bytes of the file are in the page cache. Fails on kernels before 6.5.
pub fn cached_bytes(file: &File) -> io::Result<u64> {
    #[repr(C)]
    struct Range {
        offset: u64,
        length: u64,
    }
    #[repr(C)]
    #[derive(Default)]
    struct Pages {
        cached: u64,
        dirty: u64,
        writeback: u64,
        evicted: u64,
        recently_evicted: u64,
    }
    let (range, mut pages) = (Range { offset: 0, length: 0 }, Pages::default());
    // SAFETY: both structs have the kernel's layout and outlive the call.
    let result =
        unsafe { libc::syscall(SYS_CACHESTAT, file.as_raw_fd(), &raw const range, &raw mut pages, 0) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(pages.cached * page_bytes())
}

/// Lets the kernel back this memory with huge pages, as far as it holds whole ones.
pub fn prefer_huge_pages(memory: &mut [u8]) -> io::Result<()> {
    let page = usize::try_from(page_bytes()).map_err(io::Error::other)?;
    let skipped = memory.as_ptr().align_offset(page);
    let Some(aligned) = memory.get_mut(skipped..) else { return Ok(()) };
    // SAFETY: the range is memory of ours that starts at a page; the advice changes nothing of what it holds.
    let advised = unsafe { libc::madvise(aligned.as_mut_ptr().cast(), aligned.len(), libc::MADV_HUGEPAGE) };
    if advised == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Writes all dirty pages of all file systems.
pub fn sync_everything() {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::sync() };
}

/// Asks a process to end.
pub fn terminate(pid: u32) -> io::Result<()> {
    signal(pid, libc::SIGTERM)
}

/// Does to a process what Ctrl-C does.
pub fn interrupt(pid: u32) -> io::Result<()> {
    signal(pid, libc::SIGINT)
}

fn signal(pid: u32, signal: libc::c_int) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: takes no pointers.
    let sent = unsafe { libc::kill(pid, signal) };
    if sent == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lets the kernel end the command's process when this one ends, however that comes about.
pub fn end_with_us(command: &mut Command) {
    let set = || {
        // SAFETY: takes no pointers, and may be called between fork and exec.
        let set = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: the closure makes one system call, neither allocates nor takes locks.
    unsafe { command.pre_exec(set) };
}

/// How many of the kernel's ticks make a second, in `/proc`'s counts of processor time.
pub fn ticks_per_second() -> f64 {
    // SAFETY: takes no pointers.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    if ticks > 0 { ticks as f64 } else { 100.0 }
}

pub fn page_bytes() -> u64 {
    // SAFETY: takes no pointers.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn a_timer_waits_at_least_as_long_as_asked_and_can_be_used_again() {
        let runtime = aquifer_runtime::Runtime::real();
        let mut timer = Timer::new().expect("timer");
        let before = runtime.now().monotonic;

        timer.sleep(Duration::from_micros(1500)).await.expect("fires");
        timer.sleep(Duration::ZERO).await.expect("returns at once");
        timer.sleep(Duration::from_micros(500)).await.expect("fires");

        assert!(runtime.now().monotonic.since(before) >= Duration::from_millis(2));
    }

    #[test]
    fn what_was_just_written_is_cached() {
        let mut file = tempfile::tempfile().expect("file");
        file.write_all(&[1; 1 << 20]).expect("written");

        // Kernels before 6.5 cannot say.
        if let Ok(cached) = cached_bytes(&file) {
            assert_eq!(cached, 1 << 20);
        }
        drop_cached(&file).expect("dropped");
    }
}
