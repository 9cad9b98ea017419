//! `Link`: one connection's requests on their way out and those that wait for answers, without regard to their meaning.
//!
//! Whoever sends writes as much as the socket takes right away, in its own task; the rest, and all reading, is the
//! driver's. So a request costs no wake of another task, and a sender that is cancelled leaves whole frames behind.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use aquifer_wire::{EncodeError, Piece};
use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::connector::Stream;
use crate::error::{CallError, Closed};
use crate::inbound::{Frame, Inbound, Keep};

/// How many pieces one write call takes.
const SLICES_MAX: usize = 64;

/// How much may be under way on one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) requests_max: usize,
    pub(crate) bytes_max: usize,
    pub(crate) response_bytes_max: usize,
}

/// What senders and the driver share.
pub(crate) struct Link {
    state: Mutex<State>,
    requests: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    bytes_max: u32,
    next_correlation_id: AtomicI32,
}

/// Reads answers and writes what senders could not.
pub(crate) struct Driver {
    link: Arc<Link>,
    inbound: Inbound,
}

/// The answer to one request, once it is there.
pub(crate) type Answer = oneshot::Receiver<Result<Frame, Closed>>;

struct State {
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    outgoing: VecDeque<Outgoing>,
    waiting: VecDeque<Waiting>,
    /// The driver's; wakes it when the socket takes more.
    waker: Waker,
    closed: Option<Closed>,
}

struct Outgoing {
    bytes: Bytes,
    /// Held until these bytes are written, for a request that nobody answers.
    _permits: Option<Permits>,
}

struct Waiting {
    correlation_id: i32,
    keep: Keep,
    answer: oneshot::Sender<Result<Frame, Closed>>,
    _permits: Permits,
}

struct Permits {
    _request: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Link {
    /// A link over `stream`, and the driver that must run for it to work.
    pub(crate) fn new(stream: Stream, window: Window) -> (Arc<Link>, Driver) {
        let bytes_max = u32::try_from(window.bytes_max.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        let link = Arc::new(Link {
            state: Mutex::new(State {
                writer: stream.writer,
                outgoing: VecDeque::new(),
                waiting: VecDeque::new(),
                waker: Waker::noop().clone(),
                closed: None,
            }),
            requests: Arc::new(Semaphore::new(window.requests_max.min(Semaphore::MAX_PERMITS))),
            bytes: Arc::new(Semaphore::new(bytes_max as usize)),
            bytes_max,
            next_correlation_id: AtomicI32::new(0),
        });
        let inbound = Inbound::new(stream.reader, window.response_bytes_max);
        (Arc::clone(&link), Driver { link, inbound })
    }

    /// Sends what `encode` makes of a correlation id, once the window has room.
    pub(crate) async fn request(
        &self,
        keep: Keep,
        encode: impl FnOnce(i32) -> Result<Vec<Piece>, EncodeError>,
    ) -> Result<Answer, CallError> {
        let (correlation_id, frame) = self.encode(encode)?;
        let permits = self.permits(&frame).await?;
        let (sender, answer) = oneshot::channel();
        let waiting = Waiting { correlation_id, keep, answer: sender, _permits: permits };
        self.push(frame, None, Some(waiting))?;
        Ok(answer)
    }

    /// Sends a request that has no answer.
    pub(crate) async fn one_way(
        &self,
        encode: impl FnOnce(i32) -> Result<Vec<Piece>, EncodeError>,
    ) -> Result<(), CallError> {
        let (_, frame) = self.encode(encode)?;
        let permits = self.permits(&frame).await?;
        self.push(frame, Some(permits), None)
    }

    /// Ends the connection; every call under way learns why. The first reason stays.
    pub(crate) fn close(&self, closed: Closed) {
        self.lock().close(closed).wake();
        self.requests.close();
        self.bytes.close();
    }

    pub(crate) fn closed(&self) -> Option<Closed> {
        self.lock().closed.clone()
    }

    fn encode(
        &self,
        encode: impl FnOnce(i32) -> Result<Vec<Piece>, EncodeError>,
    ) -> Result<(i32, Vec<Bytes>), CallError> {
        let correlation_id = self.next_correlation_id.fetch_add(1, Ordering::Relaxed);
        let pieces = encode(correlation_id)?;
        let frame = pieces.into_iter().map(|piece| match piece {
            Piece::Bytes(bytes) => Ok(bytes),
            Piece::Hole(_) => Err(CallError::Hole),
        });
        Ok((correlation_id, frame.collect::<Result<_, _>>()?))
    }

    async fn permits(&self, frame: &[Bytes]) -> Result<Permits, CallError> {
        let length: usize = frame.iter().map(Bytes::len).sum();
        // A frame larger than the window goes alone.
        let claim = u32::try_from(length).unwrap_or(u32::MAX).min(self.bytes_max);
        let request = Arc::clone(&self.requests).acquire_owned().await;
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(claim).await;
        match (request, bytes) {
            (Ok(request), Ok(bytes)) => Ok(Permits { _request: request, _bytes: bytes }),
            _ => Err(self.closed().unwrap_or(Closed::Dropped).into()),
        }
    }

    fn push(
        &self,
        frame: Vec<Bytes>,
        permits: Option<Permits>,
        waiting: Option<Waiting>,
    ) -> Result<(), CallError> {
        let mut state = self.lock();
        if let Some(closed) = &state.closed {
            return Err(closed.clone().into());
        }
        let was_idle = state.outgoing.is_empty();
        let last = frame.len().saturating_sub(1);
        let mut permits = permits;
        for (index, bytes) in frame.into_iter().enumerate() {
            let _permits = if index == last { permits.take() } else { None };
            state.outgoing.push_back(Outgoing { bytes, _permits });
        }
        state.waiting.extend(waiting);
        if !was_idle {
            // The socket is full, and the driver waits for it.
            return Ok(());
        }
        let waker = state.waker.clone();
        if let Err(error) = state.write(&mut Context::from_waker(&waker)) {
            drop(state);
            self.close(Closed::Write(Arc::new(error)));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Writes until nothing is left or the socket is full.
    fn write(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for (slice, outgoing) in slices.iter_mut().zip(&self.outgoing) {
                *slice = IoSlice::new(&outgoing.bytes);
                count += 1;
            }
            match Pin::new(&mut self.writer).poll_write_vectored(context, &slices[..count]) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => self.advance(written),
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        match Pin::new(&mut self.writer).poll_flush(context) {
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(front) = self.outgoing.front_mut() {
            if written < front.bytes.len() {
                front.bytes.advance(written);
                return;
            }
            written -= front.bytes.len();
            self.outgoing.pop_front();
        }
    }

    /// Hands out the driver's waker, to be woken once the lock is released.
    fn close(&mut self, closed: Closed) -> Waker {
        let closed = self.closed.get_or_insert(closed).clone();
        self.outgoing.clear();
        for waiting in self.waiting.drain(..) {
            // Whoever asked may have given up.
            let _ = waiting.answer.send(Err(closed.clone()));
        }
        self.waker.clone()
    }

    fn keep(&self, correlation_id: i32) -> Result<Keep, Closed> {
        match self.waiting.front() {
            Some(waiting) if waiting.correlation_id == correlation_id => Ok(waiting.keep),
            next => Err(Closed::OutOfOrder {
                answered: correlation_id,
                expected: next.map(|waiting| waiting.correlation_id),
            }),
        }
    }
}

impl Driver {
    /// Lets senders wake this task, writes what they left; an error means that the connection is over.
    fn poll_write(&self, context: &mut Context<'_>) -> Result<(), Closed> {
        let mut state = self.link.lock();
        if let Some(closed) = &state.closed {
            return Err(closed.clone());
        }
        if !state.waker.will_wake(context.waker()) {
            state.waker = context.waker().clone();
        }
        state.write(context).map_err(|error| Closed::Write(Arc::new(error)))
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Closed> {
        loop {
            let link = &self.link;
            match self.inbound.poll_frame(context, |id| link.lock().keep(id)) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(closed)) => return Poll::Ready(closed),
                Poll::Ready(Ok(frame)) => {
                    let answered = link.lock().waiting.pop_front();
                    if let Some(waiting) = answered {
                        // Whoever asked may have given up.
                        let _ = waiting.answer.send(Ok(frame));
                    }
                }
            }
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let closed = match self.poll_write(context) {
            Ok(()) => match self.poll_read(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(closed) => closed,
            },
            Err(closed) => closed,
        };
        self.link.close(closed);
        Poll::Ready(())
    }
}

impl Drop for Driver {
    /// A driver that is dropped with its executor must not leave callers waiting.
    fn drop(&mut self) {
        self.link.close(Closed::Dropped);
    }
}
