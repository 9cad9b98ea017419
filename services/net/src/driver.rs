//! `Driver`: one connection's task, reading and writing both.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use aquifer_runtime::{Monotonic, Runtime};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::ahead::Ahead;
use crate::budget::Usage;
use crate::connection::Connection;
use crate::frames::{Frames, Read, ReadError, Source};
use crate::outgoing::Outgoing;
use crate::server::Shared;
use crate::service::{Call, Outcome, Service};
use crate::transport::Transport;

/// What a connection moves before others have their turn.
const TURN_BYTES: usize = 1 << 20;

/// One connection at work.
pub(crate) struct Driver<S: Service> {
    shared: Arc<Shared<S>>,
    connection: Arc<Connection<S::Session>>,
    transport: Transport,
    usage: Arc<Usage>,
    frames: Frames,
    /// Requests that are not answered yet, in order.
    calls: VecDeque<Pending>,
    outgoing: Outgoing,
    /// No more is read; what is on its way is finished.
    closing: bool,
    /// The last poll left the socket empty: what is missing of a frame, the client owes.
    starved: bool,
    /// Wakes the connection when the server stops, and is ready when it will not wait any longer.
    signals: BoxFuture<'static, ()>,
    timer: Timer,
}

enum Pending {
    Done(Outcome),
    Later(BoxFuture<'static, Outcome>),
}

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    Closed,
    TimedOut(&'static str),
    Frame(i32),
    Io(io::Error),
    Stopped,
}

/// The next deadline, and what it is counted from.
struct Timer {
    runtime: Runtime,
    now: Monotonic,
    armed: Option<(Monotonic, BoxFuture<'static, ()>)>,
    /// When a request came or a reply was finished last.
    active: Monotonic,
    /// Since when the rest of a frame is owed.
    owed: Option<Monotonic>,
    /// Since when the client takes nothing.
    blocked: Option<Monotonic>,
}

impl<S: Service> Driver<S> {
    pub(crate) fn new(
        shared: Arc<Shared<S>>,
        connection: Arc<Connection<S::Session>>,
        transport: Transport,
    ) -> Driver<S> {
        let limits = &shared.limits;
        let usage = Usage::new(limits.connection_in_flight_bytes_max, Arc::clone(&shared.metrics));
        let frames = Frames::new(Source {
            budget: shared.budget.clone(),
            usage: Arc::clone(&usage),
            pool: Arc::clone(&shared.pool),
            frame_bytes_max: limits.frame_bytes_max,
        });
        let outgoing = Outgoing::new(Ahead::new(shared.runtime.clone(), Arc::clone(&shared.metrics)));
        let (stop, abandon) = (shared.stop.clone(), shared.abandon.clone());
        let signals: BoxFuture<'static, ()> = Box::pin(async move {
            stop.wait().await;
            abandon.wait().await;
        });
        let timer = Timer::new(shared.runtime.clone());
        Driver {
            shared,
            connection,
            transport,
            usage,
            frames,
            calls: VecDeque::new(),
            outgoing,
            closing: false,
            starved: false,
            signals,
            timer,
        }
    }

    /// Serves the connection until it ends.
    pub(crate) async fn run(mut self) -> End {
        let end = poll_fn(|context| self.poll(context)).await;
        if matches!(end, End::Closed) {
            // The client may be gone already, so it is not waited for.
            poll_fn(|context| {
                let _ = self.transport.poll_close(context);
                Poll::Ready(())
            })
            .await;
        }
        end
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        if self.signals.as_mut().poll(context).is_ready() {
            return Poll::Ready(End::Stopped);
        }
        self.closing |= self.shared.stop.is_given();
        let mut turn = TURN_BYTES;
        loop {
            let mut moved = match self.poll_read(context, &mut turn) {
                Ok(moved) => moved,
                Err(end) => return Poll::Ready(end),
            };
            match self.poll_write(context, &mut turn) {
                Ok(more) => moved |= more,
                Err(error) => return Poll::Ready(End::Io(error)),
            }
            if self.closing && self.calls.is_empty() && self.outgoing.is_empty() {
                return Poll::Ready(End::Closed);
            }
            if turn == 0 {
                context.waker().wake_by_ref();
                break;
            }
            if !moved {
                break;
            }
        }
        self.poll_timer(context)
    }

    /// Takes the frames that are there. Says whether there were any.
    fn poll_read(&mut self, context: &mut Context<'_>, turn: &mut usize) -> Result<bool, End> {
        let mut moved = false;
        self.starved = false;
        while *turn > 0 && self.may_read(context) {
            let mut received = 0;
            let read = self.frames.poll_next(&mut self.transport, context, &mut received);
            self.shared.metrics.received_bytes.add(received as u64);
            *turn = turn.saturating_sub(received);
            match read {
                Poll::Pending => {
                    self.starved = true;
                    break;
                }
                Poll::Ready(Ok(Read::Frame(frame))) => {
                    self.timer.frame_came();
                    self.call(frame);
                    moved = true;
                }
                Poll::Ready(Ok(Read::End)) => return Err(End::Closed),
                Poll::Ready(Err(ReadError::Io(error))) => return Err(End::Io(error)),
                Poll::Ready(Err(ReadError::Frame(length))) => {
                    self.shared.metrics.frames_refused.add(1);
                    return Err(End::Frame(length));
                }
            }
        }
        Ok(moved)
    }

    /// Collects answers and sends them. Says whether anything left.
    fn poll_write(&mut self, context: &mut Context<'_>, turn: &mut usize) -> io::Result<bool> {
        let answered = self.poll_calls(context)?;
        if self.outgoing.is_empty() {
            return Ok(answered);
        }
        let mut sent = 0;
        let polled = self.outgoing.poll_send(&mut self.transport, context, turn, &mut sent);
        self.shared.metrics.sent_bytes.add(sent as u64);
        let blocked = polled.is_pending() && !self.outgoing.waits_for_disk();
        self.timer.sent(sent, blocked);
        if let Poll::Ready(result) = polled {
            result?;
        }
        Ok(answered || sent > 0)
    }

    fn call(&mut self, frame: Bytes) {
        self.shared.metrics.requests.add(1);
        let pending = match self.shared.service.call(&self.connection, frame) {
            Call::Now(outcome) => Pending::Done(outcome),
            Call::Later(future) => Pending::Later(future),
        };
        // What came behind a request that closes the connection is not looked at.
        self.closing |= matches!(pending, Pending::Done(Outcome::Close));
        self.calls.push_back(pending);
    }

    /// Polls what is outstanding, and queues the replies that are next in order.
    fn poll_calls(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        for pending in &mut self.calls {
            if let Pending::Later(future) = pending
                && let Poll::Ready(outcome) = future.as_mut().poll(context)
            {
                *pending = Pending::Done(outcome);
            }
        }
        let mut answered = false;
        while let Some(Pending::Done(outcome)) =
            self.calls.pop_front_if(|pending| matches!(pending, Pending::Done(_)))
        {
            answered = true;
            match outcome {
                Outcome::Reply(reply) => self.outgoing.push(reply)?,
                Outcome::Silent => {}
                Outcome::Close => {
                    self.shared.metrics.requests_refused.add(1);
                    self.closing = true;
                    self.calls.clear();
                }
            }
        }
        Ok(answered)
    }

    fn may_read(&self, context: &mut Context<'_>) -> bool {
        let limits = &self.shared.limits;
        !self.closing
            && self.calls.len() < limits.requests_in_flight_max.max(1)
            && self.outgoing.held_bytes() <= limits.reply_bytes_max
            && self.usage.poll_free(context).is_ready()
    }

    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<End> {
        let limits = &self.shared.limits;
        let owed = if self.starved { self.frames.owed() } else { 0 };
        self.timer.owes(owed);
        let mut deadlines = [None; 3];
        if self.calls.is_empty() && self.outgoing.is_empty() {
            deadlines[0] = Some((self.timer.active.plus(limits.idle), "idle"));
        }
        if let Some(since) = self.timer.owed {
            let time = limits.frame_time(owed);
            deadlines[1] = Some((since.plus(time), "frame did not arrive"));
        }
        if let Some(since) = self.timer.blocked {
            deadlines[2] = Some((since.plus(limits.write), "reply was not taken"));
        }
        match deadlines.into_iter().flatten().min() {
            Some((deadline, what)) => self.timer.poll(context, deadline).map(|()| End::TimedOut(what)),
            None => Poll::Pending,
        }
    }
}

impl Timer {
    fn new(runtime: Runtime) -> Timer {
        let now = runtime.now().monotonic;
        Timer { runtime, now, armed: None, active: now, owed: None, blocked: None }
    }

    fn frame_came(&mut self) {
        self.now = self.runtime.now().monotonic;
        self.active = self.now;
        self.owed = None;
    }

    fn owes(&mut self, bytes: usize) {
        if bytes == 0 {
            self.owed = None;
        } else if self.owed.is_none() {
            self.now = self.runtime.now().monotonic;
            self.owed = Some(self.now);
        }
    }

    fn sent(&mut self, bytes: usize, blocked: bool) {
        if bytes > 0 || !blocked {
            self.now = self.runtime.now().monotonic;
            self.active = self.now;
            self.blocked = None;
        }
        if blocked && self.blocked.is_none() {
            self.blocked = Some(self.runtime.now().monotonic);
        }
    }

    /// Ready at `deadline`. A timer that is set for earlier stays: it looks again when it fires.
    fn poll(&mut self, context: &mut Context<'_>, deadline: Monotonic) -> Poll<()> {
        loop {
            if self.armed.as_ref().is_none_or(|(at, _)| *at > deadline) {
                self.now = self.runtime.now().monotonic;
                if self.now >= deadline {
                    return Poll::Ready(());
                }
                let (runtime, time) = (self.runtime.clone(), deadline.since(self.now));
                let sleep: BoxFuture<'static, ()> = Box::pin(async move { runtime.sleep(time).await });
                self.armed = Some((deadline, sleep));
            }
            if let Some((_, sleep)) = &mut self.armed
                && sleep.as_mut().poll(context).is_pending()
            {
                return Poll::Pending;
            }
            self.armed = None;
        }
    }
}
