//! `SimStream`: one end of a simulated connection: bytes arrive late, in pieces, or not at all.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use aquifer_runtime::{Monotonic, Runtime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::dice::Dice;
use crate::trace::Trace;

/// What one direction holds before its writer waits.
const WINDOW_BYTES: usize = 64 << 10;

/// How bytes travel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    pub delays: bool,
    pub pieces: bool,
    pub resets: bool,
}

/// Both directions of a connection, as the network sees them.
#[derive(Debug)]
pub struct Link {
    pub id: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// To the node, and from it.
    pipes: [Pipe; 2],
    weather: Weather,
    dice: Dice,
    broken: bool,
    /// The node's machine has no power: nothing passes, and nobody is told.
    silent: bool,
}

#[derive(Debug, Default)]
struct Pipe {
    pieces: VecDeque<(Monotonic, Vec<u8>)>,
    queued_bytes: usize,
    taken_of_first: usize,
    /// Its writer says no more.
    closed: bool,
    /// Its reader is gone.
    deaf: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

type Timer = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One end.
pub struct SimStream {
    link: Arc<Link>,
    /// Which pipe is read; the other is written.
    reads: usize,
    runtime: Runtime,
    trace: Trace,
    timer: Option<(Monotonic, Timer)>,
    /// Whether what is written still leaves the machine.
    has_power: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// A connection's ends: the client's, and the node's.
pub struct Ends {
    pub client: SimStream,
    pub node: SimStream,
}

impl Link {
    pub fn new(id: u64, weather: Weather, dice: Dice) -> Arc<Link> {
        let pipes = [Pipe::default(), Pipe::default()];
        let state = State { pipes, weather, dice, broken: false, silent: false };
        Arc::new(Link { id, state: Mutex::new(state) })
    }

    /// The two ends. `has_power` tells whether the node's machine runs.
    pub fn ends(
        self: &Arc<Link>,
        runtime: &Runtime,
        trace: &Trace,
        has_power: Arc<dyn Fn() -> bool + Send + Sync>,
    ) -> Ends {
        let end = |reads, has_power| SimStream {
            link: self.clone(),
            reads,
            runtime: runtime.clone(),
            trace: trace.clone(),
            timer: None,
            has_power,
        };
        Ends { client: end(1, Arc::new(|| true)), node: end(0, has_power) }
    }

    /// Both ends learn that the connection is gone.
    pub fn break_off(&self) {
        let mut state = self.state();
        state.broken = true;
        state.wake_all();
    }

    /// Nothing passes any more, and nobody is told.
    pub fn fall_silent(&self) {
        self.state().silent = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake_all(&mut self) {
        for pipe in &mut self.pipes {
            pipe.reader.take().into_iter().chain(pipe.writer.take()).for_each(Waker::wake);
        }
    }

    /// When what is sent at `now` arrives.
    fn arrival(&mut self, now: Monotonic) -> Monotonic {
        if !self.weather.delays || self.dice.one_in(2) {
            return now;
        }
        let late = if self.dice.one_in(50) { 50..=400 } else { 1..=8 };
        now.plus(self.dice.millis(late))
    }

    /// How much of `bytes` moves at once.
    fn piece(&mut self, bytes: usize) -> usize {
        if !self.weather.pieces || bytes < 2 {
            return bytes;
        }
        let most = u64::try_from(bytes).unwrap_or(u64::MAX);
        usize::try_from(self.dice.magnitude(1..=most)).unwrap_or(bytes)
    }
}

impl SimStream {
    fn poll_until(&mut self, context: &mut Context<'_>, at: Monotonic) -> Poll<()> {
        let now = self.runtime.now().monotonic;
        if now >= at {
            self.timer = None;
            return Poll::Ready(());
        }
        if self.timer.as_ref().is_none_or(|(armed, _)| *armed != at) {
            let (runtime, wait) = (self.runtime.clone(), at.since(now).max(Duration::from_millis(1)));
            self.timer = Some((at, Box::pin(async move { runtime.sleep(wait).await })));
        }
        let (_, timer) = self.timer.as_mut().expect("just armed");
        timer.as_mut().poll(context)
    }
}

impl AsyncRead for SimStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let arrives = {
            let mut state = self.link.state();
            if state.broken {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let pipe = &mut state.pipes[self.reads];
            match pipe.pieces.front() {
                Some((at, _)) => *at,
                None if pipe.closed => return Poll::Ready(Ok(())),
                None => {
                    pipe.reader = Some(context.waker().clone());
                    return Poll::Pending;
                }
            }
        };
        {
            // A connection may break while bytes are under way.
            let reads = self.reads;
            self.link.state().pipes[reads].reader = Some(context.waker().clone());
        }
        ready!(self.poll_until(context, arrives));
        let link = self.link.clone();
        let mut state = link.state();
        let wanted = {
            let pipe = &state.pipes[self.reads];
            let (_, first) = pipe.pieces.front().expect("only this end takes pieces");
            (first.len() - pipe.taken_of_first).min(buffer.remaining())
        };
        let taken = state.piece(wanted);
        let pipe = &mut state.pipes[self.reads];
        let from = pipe.taken_of_first;
        let (_, first) = pipe.pieces.front().expect("only this end takes pieces");
        buffer.put_slice(&first[from..from + taken]);
        self.trace.mix(&first[from..from + taken]);
        if from + taken == first.len() {
            pipe.pieces.pop_front();
            pipe.taken_of_first = 0;
        } else {
            pipe.taken_of_first += taken;
        }
        pipe.queued_bytes -= taken;
        if let Some(writer) = pipe.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.link.state();
        if state.weather.resets && !state.broken && state.dice.one_in(400) {
            state.broken = true;
            state.wake_all();
        }
        if state.broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if state.silent || !(self.has_power)() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let arrival = state.arrival(self.runtime.now().monotonic);
        let taken = state.piece(bytes.len());
        let pipe = &mut state.pipes[1 - self.reads];
        if pipe.deaf {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if pipe.queued_bytes >= WINDOW_BYTES {
            pipe.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        // What was sent first arrives first.
        let arrival = pipe.pieces.back().map_or(arrival, |(before, _)| arrival.max(*before));
        pipe.pieces.push_back((arrival, bytes[..taken].to_vec()));
        pipe.queued_bytes += taken;
        if let Some(reader) = pipe.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}

impl SimStream {
    fn close(&self) {
        let mut state = self.link.state();
        if state.silent || !(self.has_power)() {
            return;
        }
        let pipe = &mut state.pipes[1 - self.reads];
        pipe.closed = true;
        if let Some(reader) = pipe.reader.take() {
            reader.wake();
        }
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.close();
        let mut state = self.link.state();
        if !state.silent && (self.has_power)() {
            // Whoever still writes to this end is told.
            let inbound = &mut state.pipes[self.reads];
            inbound.deaf = true;
            if let Some(writer) = inbound.writer.take() {
                writer.wake();
            }
        }
    }
}
