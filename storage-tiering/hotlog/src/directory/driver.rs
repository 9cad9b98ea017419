//! Executors: threads in production, one task under simulation. They run what the pipeline hands out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use std::time::Duration;

use aquifer_runtime::Runtime;

use super::handle::Shared;
use super::pipeline::Notices;

/// A thread that sleeps until there may be work for it.
#[derive(Debug, Default)]
pub(super) struct Parker {
    parked: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

impl Parker {
    /// Wakes the thread if it sleeps.
    pub(super) fn wake(&self) {
        if self.parked.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.lock().expect("waking does not panic").as_ref()
        {
            thread.unpark();
        }
    }

    /// Runs `turn` for as long as it finds work, then sleeps until woken; until `stop`.
    fn run(&self, stop: &AtomicBool, mut turn: impl FnMut() -> bool) {
        *self.thread.lock().expect("waking does not panic") = Some(thread::current());
        while !stop.load(Ordering::SeqCst) {
            if turn() {
                continue;
            }
            // Who adds work after this store wakes us; who added it before is seen by the turn that follows.
            self.parked.store(true, Ordering::SeqCst);
            if turn() {
                self.parked.store(false, Ordering::SeqCst);
                continue;
            }
            while self.parked.load(Ordering::SeqCst) && !stop.load(Ordering::SeqCst) {
                thread::park();
            }
        }
    }
}

impl Shared {
    /// Runs the next writes in place, if there are any and nobody else is at it.
    pub(super) fn write_turn(&self) -> bool {
        let mut pipeline = self.pipeline();
        let job = {
            let mut queue = self.queue();
            self.queued_bytes.store(0, Ordering::Relaxed);
            pipeline.take_writes(&mut queue)
        };
        drop(pipeline);
        let Some(mut job) = job else { return false };
        job.execute(&self.files);
        let mut notices = Notices::new();
        let mut pipeline = self.pipeline();
        pipeline.finish_writes(job, &mut notices);
        let upkeep = pipeline.wants_upkeep();
        drop(pipeline);
        self.flusher.wake();
        if upkeep {
            self.upkeep.wake();
        }
        self.deliver(notices);
        true
    }

    pub(super) fn flush_turn(&self) -> bool {
        let mut pipeline = self.pipeline();
        let Some(job) = pipeline.take_flush() else {
            if pipeline.is_stalled() {
                // Only a checkpoint frees the log, and producers wait for it.
                self.upkeep.wake();
            }
            return false;
        };
        let waiting = pipeline.has_waiting_writes();
        drop(pipeline);
        if waiting {
            // The writer may go on with the other group. What is queued from here on wakes it by itself.
            self.writer.wake();
        }
        let result = job.execute();
        let mut notices = Notices::new();
        let mut pipeline = self.pipeline();
        pipeline.finish_flush(job, result, &mut notices);
        let upkeep = pipeline.wants_upkeep();
        drop(pipeline);
        if upkeep {
            self.upkeep.wake();
        }
        self.deliver(notices);
        true
    }

    pub(super) fn background_turn(&self) -> bool {
        let job = self.pipeline().take_background();
        let Some(job) = job else { return false };
        self.run_background(job);
        true
    }

    pub(super) fn run_background(&self, job: super::job::Background) {
        let done = job.execute(&self.files);
        let mut notices = Notices::new();
        self.pipeline().finish_background(done, &mut notices);
        self.deliver(notices);
        // A freed file may be what the flusher waits for.
        self.flusher.wake();
    }

    /// Something outside the pipeline found that the disk lost what it was to make durable.
    pub(super) fn latch(&self) {
        let mut notices = Notices::new();
        self.pipeline().latch(&mut notices);
        self.deliver(notices);
    }

    fn deliver(&self, notices: Notices) {
        if self.pipeline().is_latched() {
            self.latched.store(true, Ordering::SeqCst);
        }
        for (log, notice) in notices {
            // A replica that fails is fenced by itself; the directory goes on for the others.
            if catch_unwind(AssertUnwindSafe(|| log.tell(notice))).is_err() {
                tracing::error!(partition = %log.id, "a replica failed while it was told of its log");
            }
        }
    }

    /// Starts the threads of production.
    pub(super) fn start_threads(self: &Arc<Shared>, runtime: &Runtime) -> std::io::Result<()> {
        let shared = self.clone();
        let writer = runtime.thread("log-writer", move || {
            shared.writer.run(&shared.stop, || shared.write_turn());
        })?;
        let shared = self.clone();
        let flusher = runtime.thread("log-flusher", move || {
            shared.flusher.run(&shared.stop, || shared.flush_turn());
        })?;
        let shared = self.clone();
        let upkeep = runtime.thread("log-upkeep", move || {
            shared.upkeep.run(&shared.stop, || shared.background_turn());
        })?;
        self.threads.lock().expect("starting does not panic").extend([writer, flusher, upkeep]);
        Ok(())
    }

    /// Does the threads' work on the one executor of a simulation, each step taking some simulated time; now and then the
    /// device stalls.
    pub(super) async fn simulate(self: Arc<Shared>, runtime: Runtime) {
        while !self.stop.load(Ordering::SeqCst) {
            let wrote = self.write_turn();
            if wrote {
                runtime.sleep(Duration::from_micros(20 + runtime.random_u64() % 80)).await;
            }
            let flushed = self.flush_turn();
            if flushed {
                let stall = if runtime.random_u64().is_multiple_of(300) { 500_000 } else { 2000 };
                runtime.sleep(Duration::from_micros(50 + runtime.random_u64() % stall)).await;
            }
            let kept_up = self.background_turn();
            if !wrote && !flushed && !kept_up {
                self.simulated.notified().await;
            }
        }
    }
}
