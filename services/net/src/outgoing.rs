//! `Outgoing`: replies on their way out, in order.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use aquifer_disk::FileHandle;
use aquifer_runtime::Task;
use bytes::{Buf, Bytes};

use crate::ahead::Ahead;
use crate::service::{Chunk, Reply};
use crate::sys;
use crate::transport::Transport;

/// Shorter file ranges are read and leave in one call with what stands around them.
const COPIED_BYTES_MAX: u64 = 16 * 1024;
/// One call of sendfile. With 128 KiB behind a header that waits for more, one stream over loopback was half as fast.
const SEND_FILE_BYTES: u64 = 96 * 1024;
/// What one gathering call takes at most.
const PARTS_MAX: usize = 64;
const GATHERED_BYTES_MAX: usize = 256 * 1024;
/// What is read at once of a range that must be copied.
const PIECE_BYTES: u64 = 64 * 1024;

/// The writing half of a connection.
pub(crate) struct Outgoing {
    parts: VecDeque<Part>,
    /// Bytes of replies held in memory.
    held_bytes: usize,
    ahead: Ahead,
    /// A piece of the first part that a thread is reading.
    reading: Option<Task<io::Result<Bytes>>>,
    /// Sendfile turned out not to work here.
    copies: bool,
    /// Something was sent that may still wait within the transport.
    is_unflushed: bool,
}

enum Part {
    Length { bytes: [u8; 4], sent: usize },
    Bytes(Bytes),
    File(Range),
}

struct Range {
    file: FileHandle,
    at: u64,
    end: u64,
    /// Up to here sending does not wait for the disk.
    resident_upto: u64,
}

impl Outgoing {
    pub(crate) fn new(ahead: Ahead) -> Outgoing {
        let (parts, is_unflushed) = (VecDeque::new(), false);
        Outgoing { parts, held_bytes: 0, ahead, reading: None, copies: false, is_unflushed }
    }

    /// Whether all of it has left, the transport's own buffer too.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty() && !self.is_unflushed
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether it is the disk, not the client, that is waited for.
    pub(crate) fn waits_for_disk(&self) -> bool {
        match self.parts.front() {
            Some(Part::File(range)) => self.reading.is_some() || range.at >= range.resident_upto,
            _ => false,
        }
    }

    /// Queues a reply; fails if it is longer than a frame can say.
    pub(crate) fn push(&mut self, reply: Reply) -> io::Result<()> {
        let length = i32::try_from(reply.bytes())
            .map_err(|too_long| io::Error::new(io::ErrorKind::InvalidData, too_long))?;
        self.parts.push_back(Part::Length { bytes: length.to_be_bytes(), sent: 0 });
        self.held_bytes += 4;
        for chunk in reply.chunks {
            match chunk {
                Chunk::Bytes(bytes) if bytes.is_empty() => {}
                Chunk::Bytes(bytes) => {
                    self.held_bytes += bytes.len();
                    self.parts.push_back(Part::Bytes(bytes));
                }
                Chunk::File { bytes: 0, .. } => {}
                Chunk::File { file, at, bytes } => {
                    let end = at.checked_add(bytes).ok_or(io::ErrorKind::InvalidInput)?;
                    self.parts.push_back(Part::File(Range { file, at, end, resident_upto: at }));
                }
            }
        }
        Ok(())
    }

    /// Sends until all is sent, the socket or the disk must be waited for, or `turn`, which counts down, is used up.
    /// `sent` counts the bytes.
    pub(crate) fn poll_send(
        &mut self,
        transport: &mut Transport,
        context: &mut Context<'_>,
        turn: &mut usize,
        sent: &mut usize,
    ) -> Poll<io::Result<()>> {
        while !self.parts.is_empty() && *turn > 0 {
            self.read_small_ranges();
            let done = match self.parts.front() {
                Some(Part::File(range)) if self.leaves_by_sendfile(range, transport) => {
                    match ready!(self.poll_send_file(transport, context)) {
                        Err(error) if is_unsupported(&error) => {
                            self.copies = true;
                            continue;
                        }
                        done => done?,
                    }
                }
                Some(Part::File(_)) => {
                    ready!(self.poll_read_piece(context))?;
                    continue;
                }
                _ => ready!(self.poll_send_memory(transport, context))?,
            };
            *sent += done;
            *turn = turn.saturating_sub(done);
            self.is_unflushed = true;
        }
        if self.parts.is_empty() && self.is_unflushed {
            ready!(transport.poll_flush(context))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn leaves_by_sendfile(&self, range: &Range, transport: &Transport) -> bool {
        !self.copies
            && self.reading.is_none()
            && transport.takes_files()
            && (range.end - range.at >= COPIED_BYTES_MAX || range.at < range.resident_upto)
            && range.file.descriptor().is_some()
    }

    /// Turns short ranges near the front into bytes if they are in memory, so that they leave in one call with the
    /// headers around them.
    fn read_small_ranges(&mut self) {
        if self.reading.is_some() {
            return;
        }
        let mut gathered = 0;
        for part in self.parts.iter_mut().take(PARTS_MAX) {
            match part {
                Part::Length { .. } => {}
                Part::Bytes(bytes) => gathered += bytes.len(),
                Part::File(range)
                    if range.end - range.at < COPIED_BYTES_MAX && range.at == range.resident_upto =>
                {
                    let Some(bytes) = range.read_now(range.end - range.at) else { return };
                    gathered += bytes.len();
                    self.held_bytes += bytes.len();
                    *part = Part::Bytes(bytes);
                }
                Part::File(_) => return,
            }
            if gathered >= GATHERED_BYTES_MAX {
                return;
            }
        }
    }

    fn poll_send_memory(
        &mut self,
        transport: &mut Transport,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut slices: [_; PARTS_MAX] = std::array::from_fn(|_| IoSlice::new(&[]));
        let (mut count, mut bytes) = (0, 0);
        for part in self.parts.iter().take(PARTS_MAX) {
            let Some(slice) = part.memory().filter(|_| bytes < GATHERED_BYTES_MAX) else { break };
            slices[count] = IoSlice::new(slice);
            count += 1;
            bytes += slice.len();
        }
        let more = count < self.parts.len();
        let sent = ready!(transport.poll_send(context, &slices[..count], more))?;
        if sent == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.held_bytes -= sent;
        self.advance(sent);
        Poll::Ready(Ok(sent))
    }

    /// Drops what was sent of the parts in memory.
    fn advance(&mut self, mut sent: usize) {
        while sent > 0 {
            let part = self.parts.front_mut().expect("no more is sent than was there");
            let left = part.memory().map_or(0, <[u8]>::len);
            if sent < left {
                match part {
                    Part::Length { sent: before, .. } => *before += sent,
                    Part::Bytes(bytes) => bytes.advance(sent),
                    Part::File(_) => unreachable!("a file is not in memory"),
                }
                return;
            }
            sent -= left;
            self.parts.pop_front();
        }
    }

    fn poll_send_file(
        &mut self,
        transport: &mut Transport,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let Some(Part::File(range)) = self.parts.front_mut() else { unreachable!("a file is in front") };
        if range.at >= range.resident_upto {
            range.resident_upto = ready!(self.ahead.poll_resident(context, &range.file, range.at, range.end));
        }
        let Some(descriptor) = range.file.descriptor() else {
            return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
        };
        let bytes = (range.resident_upto - range.at).min(SEND_FILE_BYTES);
        let sent = ready!(transport.poll_send_file(context, descriptor, range.at, bytes as usize))?;
        if sent == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.ahead.metrics().sendfile_bytes.add(sent as u64);
        range.at += sent as u64;
        if range.at == range.end {
            self.ahead.sent(&range.file, range.end);
            self.parts.pop_front();
        }
        Poll::Ready(Ok(sent))
    }

    /// Puts the next piece of the range in front into memory, on a thread if it has to be waited for.
    fn poll_read_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(Part::File(range)) = self.parts.front_mut() else { unreachable!("a file is in front") };
        let bytes = if let Some(reading) = &mut self.reading {
            let read = ready!(Pin::new(reading).poll(context));
            self.reading = None;
            read.unwrap_or_else(|| Err(io::Error::other("the reading thread failed")))?
        } else {
            if range.at >= range.resident_upto {
                range.resident_upto =
                    ready!(self.ahead.poll_resident(context, &range.file, range.at, range.end));
            }
            let wanted = (range.resident_upto - range.at).min(PIECE_BYTES);
            if let Some(bytes) = range.read_now(wanted) {
                bytes
            } else {
                let (file, at) = (Arc::clone(&range.file), range.at);
                let reading =
                    self.ahead.runtime().spawn_blocking("read a reply", move || read(&file, at, wanted));
                self.reading = Some(reading);
                return self.poll_read_piece(context);
            }
        };
        range.at += bytes.len() as u64;
        if range.at == range.end {
            self.ahead.sent(&range.file, range.end);
            self.parts.pop_front();
        }
        self.held_bytes += bytes.len();
        self.parts.push_front(Part::Bytes(bytes));
        Poll::Ready(Ok(()))
    }
}

impl Part {
    fn memory(&self) -> Option<&[u8]> {
        match self {
            Part::Length { bytes, sent } => Some(&bytes[*sent..]),
            Part::Bytes(bytes) => Some(bytes),
            Part::File(_) => None,
        }
    }
}

impl Range {
    /// The next `bytes`, if all of them can be had without waiting.
    fn read_now(&self, bytes: u64) -> Option<Bytes> {
        let wanted = usize::try_from(bytes).ok()?;
        let Some(descriptor) = self.file.descriptor() else {
            // A simulated file never waits.
            return read(&self.file, self.at, bytes).ok();
        };
        let mut buffer = Vec::with_capacity(wanted);
        match sys::read_now(descriptor, self.at, &mut buffer, wanted) {
            Ok(read) if read == wanted => Some(Bytes::from(buffer)),
            Err(error)
                if error.kind() == io::ErrorKind::Unsupported && self.file.is_resident(self.at, bytes) =>
            {
                read(&self.file, self.at, bytes).ok()
            }
            _ => None,
        }
    }
}

/// Reads a range; may wait for the disk.
fn read(file: &FileHandle, at: u64, bytes: u64) -> io::Result<Bytes> {
    let wanted =
        usize::try_from(bytes).map_err(|beyond| io::Error::new(io::ErrorKind::InvalidInput, beyond))?;
    let mut buffer = vec![0; wanted];
    file.read_exact_at(at, &mut buffer)?;
    Ok(Bytes::from(buffer))
}

fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
        || matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS))
}
