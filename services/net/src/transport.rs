//! `Transport`: the bytes of one connection, plain or through TLS.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::sys;

/// What a stream that is no bare socket must be.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One connection's bytes.
pub(crate) enum Transport {
    Plain(TcpStream),
    /// Bytes are copied through it.
    Copying(Box<dyn Stream>),
}

impl Transport {
    /// Whether file ranges can leave without passing through here.
    pub(crate) fn takes_files(&self) -> bool {
        matches!(self, Transport::Plain(_))
    }

    /// Reads into the spare room of `buffer`, which must have some.
    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut impl BufMut,
    ) -> Poll<io::Result<usize>> {
        let room = buffer.chunk_mut();
        // SAFETY: only ever written to, through `ReadBuf`, which never leaves it less initialised.
        let mut room = ReadBuf::uninit(unsafe { room.as_uninit_slice_mut() });
        let polled = match self {
            Transport::Plain(socket) => Pin::new(socket).poll_read(context, &mut room),
            Transport::Copying(stream) => Pin::new(stream).poll_read(context, &mut room),
        };
        ready!(polled)?;
        let read = room.filled().len();
        // SAFETY: `ReadBuf` says that so many bytes of the room were initialised.
        unsafe { buffer.advance_mut(read) };
        Poll::Ready(Ok(read))
    }

    /// Sends what it can of `parts`. `more` says that the rest of a reply follows at once.
    pub(crate) fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
        more: bool,
    ) -> Poll<io::Result<usize>> {
        match self {
            Transport::Plain(socket) => {
                poll_io(socket, context, |socket| sys::send(socket.as_raw_fd(), parts, more))
            }
            Transport::Copying(stream) => Pin::new(stream).poll_write_vectored(context, parts),
        }
    }

    /// Sends a range of a file without copying it.
    pub(crate) fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: BorrowedFd<'_>,
        at: u64,
        bytes: usize,
    ) -> Poll<io::Result<usize>> {
        match self {
            Transport::Plain(socket) => {
                poll_io(socket, context, |socket| sys::send_file(socket.as_raw_fd(), file, at, bytes))
            }
            Transport::Copying(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        }
    }

    /// Makes sure that nothing sent waits in here.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Transport::Plain(_) => Poll::Ready(Ok(())),
            Transport::Copying(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    /// Says goodbye where the protocol has a word for it.
    pub(crate) fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Transport::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Transport::Copying(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// Repeats a system call until it does something or the socket is not writable.
fn poll_io(
    socket: &TcpStream,
    context: &mut Context<'_>,
    mut call: impl FnMut(&TcpStream) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(socket.poll_write_ready(context))?;
        match socket.try_io(Interest::WRITABLE, || call(socket)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return Poll::Ready(done),
        }
    }
}
