//! `Frames`: cuts what a connection sends into frames, within the budget.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::budget::{Budget, Reservation, Usage, Waiting};
use crate::pool::Pool;
use crate::transport::Transport;

const LENGTH_BYTES: usize = 4;
/// What is read at once while it is not known what comes.
const READ_BYTES_MIN: usize = 8 * 1024;
/// A frame that fits, its length included, shares the memory it is read into with its neighbours; a larger one gets
/// memory of its own once a first part came, so that a mere claim costs nothing.
const READ_BYTES_MAX: usize = 64 * 1024;

/// The reading half of a connection.
pub(crate) struct Frames {
    /// Read, and not cut into frames yet.
    read: BytesMut,
    /// How much to read at once: more on connections that send much in small frames.
    read_bytes: usize,
    state: State,
    source: Source,
}

/// What the frames of a connection are made from.
pub(crate) struct Source {
    pub(crate) budget: Budget,
    pub(crate) usage: Arc<Usage>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) frame_bytes_max: usize,
}

enum State {
    /// The next bytes read are a length, or belong to a small frame.
    Between,
    /// A frame of this length waits for its part of the budget.
    Waiting { length: usize, reservation: Waiting },
    /// A large frame is read into memory of its own.
    Large { length: usize, buffer: Vec<u8>, reservation: Reservation },
}

/// What reading came to.
#[derive(Debug)]
pub(crate) enum Read {
    Frame(Bytes),
    /// The client closed, between frames or within one.
    End,
}

/// The connection cannot go on.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// A negative length, one above the limit, or one there is no memory for.
    Frame(i32),
    Io(io::Error),
}

impl Frames {
    pub(crate) fn new(source: Source) -> Frames {
        Frames { read: BytesMut::new(), read_bytes: READ_BYTES_MIN, state: State::Between, source }
    }

    /// The length of the frame whose rest the client owes; zero if it owes none.
    pub(crate) fn owed(&self) -> usize {
        match &self.state {
            State::Between => match self.read.first_chunk::<LENGTH_BYTES>() {
                Some(length) => usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0).max(1),
                None => self.read.len(),
            },
            // It waits for us, not for the client.
            State::Waiting { .. } => 0,
            State::Large { length, .. } => *length,
        }
    }

    /// The next frame. `received` counts the bytes that were read.
    pub(crate) fn poll_next(
        &mut self,
        transport: &mut Transport,
        context: &mut Context<'_>,
        received: &mut usize,
    ) -> Poll<Result<Read, ReadError>> {
        loop {
            let read = match &mut self.state {
                State::Between => match self.next_length()? {
                    Some(length) => {
                        match self.source.budget.reserve(length, &self.source.usage) {
                            Err(reservation) => self.state = State::Waiting { length, reservation },
                            Ok(reservation) => {
                                if let Some(frame) = self.hold(length, reservation)? {
                                    return Poll::Ready(Ok(Read::Frame(frame)));
                                }
                            }
                        }
                        continue;
                    }
                    None => ready!(self.poll_fill(transport, context)).map_err(ReadError::Io)?,
                },
                State::Waiting { length, reservation } => {
                    let (length, reservation) = (*length, ready!(reservation.as_mut().poll(context)));
                    self.state = State::Between;
                    if let Some(frame) = self.hold(length, reservation)? {
                        return Poll::Ready(Ok(Read::Frame(frame)));
                    }
                    continue;
                }
                State::Large { length, buffer, .. } if buffer.len() < *length => {
                    let left = *length - buffer.len();
                    ready!(transport.poll_read(context, &mut buffer.limit(left))).map_err(ReadError::Io)?
                }
                State::Large { .. } => return Poll::Ready(Ok(Read::Frame(self.finish_large()))),
            };
            if read == 0 {
                return Poll::Ready(Ok(Read::End));
            }
            *received += read;
        }
    }

    /// The next frame's length, once enough of the frame is there to know what to do with it.
    fn next_length(&self) -> Result<Option<usize>, ReadError> {
        let Some(length) = self.read.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let named = i32::from_be_bytes(*length);
        let length = usize::try_from(named)
            .ok()
            .filter(|&length| length <= self.source.frame_bytes_max)
            .ok_or(ReadError::Frame(named))?;
        let total = LENGTH_BYTES + length;
        let enough = if total <= READ_BYTES_MAX { total } else { READ_BYTES_MIN };
        Ok((self.read.len() >= enough).then_some(length))
    }

    /// With its bytes reserved, a frame that is wholly there is cut off; a larger one moves to memory of its own.
    fn hold(&mut self, length: usize, reservation: Reservation) -> Result<Option<Bytes>, ReadError> {
        if self.read.len() >= LENGTH_BYTES + length {
            self.read.advance(LENGTH_BYTES);
            return Ok(Some(reservation.hold_shared(self.read.split_to(length).freeze())));
        }
        let named = i32::try_from(length).unwrap_or(i32::MAX);
        let mut buffer = self.source.pool.take(length).map_err(|_no_memory| ReadError::Frame(named))?;
        buffer.extend_from_slice(&self.read[LENGTH_BYTES..]);
        self.read.clear();
        // Another large frame is likely to follow, and what is read of it here has to be copied.
        self.read_bytes = READ_BYTES_MIN;
        self.state = State::Large { length, buffer, reservation };
        Ok(None)
    }

    fn finish_large(&mut self) -> Bytes {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Large { buffer, reservation, .. } => {
                reservation.hold(buffer, Arc::clone(&self.source.pool))
            }
            State::Between | State::Waiting { .. } => unreachable!("only called with a large frame at hand"),
        }
    }

    fn poll_fill(&mut self, transport: &mut Transport, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let wanted = match self.read.first_chunk::<LENGTH_BYTES>() {
            Some(_) => self.owed().saturating_add(LENGTH_BYTES).min(READ_BYTES_MAX) - self.read.len(),
            None => LENGTH_BYTES,
        };
        self.read.reserve(wanted.max(self.read_bytes));
        let room = self.read.capacity() - self.read.len();
        let polled = transport.poll_read(context, &mut self.read);
        match &polled {
            Poll::Ready(Ok(read)) if *read == room => {
                self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
            }
            // Idle connections hold no memory.
            Poll::Pending if self.read.is_empty() => self.read = BytesMut::new(),
            _ => {}
        }
        polled
    }
}
