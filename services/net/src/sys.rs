//! The system calls that tokio has no words for.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// Sends `parts` in one call. With `more` the kernel keeps a last small segment for what follows.
pub(crate) fn send(socket: RawFd, parts: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
    let mut message = empty_message();
    message.msg_iov = parts.as_ptr().cast_mut().cast();
    message.msg_iovlen = parts.len();
    let flags = libc::MSG_NOSIGNAL | if more { libc::MSG_MORE } else { 0 };
    // SAFETY: an IoSlice has the layout of an iovec; parts and their bytes outlive the call and are only read.
    length(unsafe { libc::sendmsg(socket, &raw const message, flags) })
}

/// Sends up to `bytes` of `file` from `at` on.
pub(crate) fn send_file(socket: RawFd, file: BorrowedFd<'_>, at: u64, bytes: usize) -> io::Result<usize> {
    let mut at = offset(at)?;
    // SAFETY: both descriptors are open, and `at` outlives the call.
    length(unsafe { libc::sendfile(socket, file.as_raw_fd(), &raw mut at, bytes) })
}

/// Reads into the spare capacity of `buffer`, at most `bytes`, without waiting for the disk; fails with `WouldBlock` where
/// it would have to, and with `Unsupported` where the file system cannot say.
pub(crate) fn read_now(
    file: BorrowedFd<'_>,
    at: u64,
    buffer: &mut Vec<u8>,
    bytes: usize,
) -> io::Result<usize> {
    let at = offset(at)?;
    let room = buffer.spare_capacity_mut();
    let part = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len().min(bytes) };
    // SAFETY: `part` names writable memory within the vector's capacity, and the descriptor is open.
    let read = unsafe { libc::preadv2(file.as_raw_fd(), &raw const part, 1, at, libc::RWF_NOWAIT) };
    match length(read) {
        Ok(read) => {
            // SAFETY: the kernel initialised so many bytes after the vector's length.
            unsafe { buffer.set_len(buffer.len() + read) };
            Ok(read)
        }
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            Err(io::ErrorKind::Unsupported.into())
        }
        Err(error) => Err(error),
    }
}

/// What a connected socket leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// What the kernel believes a round trip takes.
    pub(crate) round_trip: Duration,
    /// The most that the other side can ever let be on its way, as it agreed in the handshake.
    pub(crate) window_bytes_max: usize,
}

/// What the kernel knows of a connected socket's other side.
pub(crate) fn path(socket: BorrowedFd<'_>) -> io::Result<Path> {
    // SAFETY: all zeros is a valid tcp_info.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut bytes = libc::socklen_t::try_from(size_of_val(&info)).expect("a small structure");
    // SAFETY: `info` and `bytes` outlive the call, and `bytes` says how much of `info` may be written.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut bytes,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // Two bit fields in one byte: ours to send is the first, which the order of bytes decides.
    let scales = info.tcpi_snd_rcv_wscale;
    let scale = if cfg!(target_endian = "little") { scales & 0xf } else { scales >> 4 };
    Ok(Path {
        round_trip: Duration::from_micros(info.tcpi_rtt.into()),
        window_bytes_max: usize::from(u16::MAX) << scale,
    })
}

fn empty_message() -> libc::msghdr {
    // SAFETY: all zeros is a message header that names nothing.
    unsafe { std::mem::zeroed() }
}

fn offset(at: u64) -> io::Result<i64> {
    i64::try_from(at).map_err(|beyond| io::Error::new(io::ErrorKind::InvalidInput, beyond))
}

fn length(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_negative| io::Error::last_os_error())
}
