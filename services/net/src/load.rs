//! `Load`: one file being read into memory by a thread, front to back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use aquifer_disk::FileHandle;
use aquifer_runtime::Runtime;
use futures_util::task::AtomicWaker;

/// What the thread loads at once: less wakes the reactor too often.
const STEP_BYTES: u64 = 1 << 20;

/// A range that grows while it is being read.
pub(crate) struct Load {
    from: u64,
    /// Read so far; `u64::MAX` after a failure, which whoever sends the range will meet itself.
    upto: AtomicU64,
    goal: Mutex<Goal>,
    waker: AtomicWaker,
}

#[derive(Default)]
struct Goal {
    upto: u64,
    running: bool,
}

impl Load {
    pub(crate) fn new(from: u64) -> Arc<Load> {
        let goal = Mutex::new(Goal { upto: from, running: false });
        Arc::new(Load { from, upto: AtomicU64::new(from), goal, waker: AtomicWaker::new() })
    }

    /// Has the file read up to `goal`, if it was not asked for so far before.
    pub(crate) fn go_on(self: &Arc<Load>, runtime: &Runtime, file: &FileHandle, goal: u64) {
        {
            let mut current = self.goal.lock().expect("nothing panics under this lock");
            current.upto = current.upto.max(goal);
            if current.running || self.upto.load(Ordering::Acquire) >= current.upto {
                return;
            }
            current.running = true;
        }
        let (load, file) = (Arc::clone(self), Arc::clone(file));
        runtime.spawn_blocking("read ahead", move || load.run(&file));
    }

    /// Waits while `at` is asked for and not read yet; then says how far the file was read from the start of the load on,
    /// or `at` if it was not asked for.
    pub(crate) fn poll_loaded(&self, context: &mut Context<'_>, at: u64) -> Poll<u64> {
        if at < self.from {
            return Poll::Ready(at);
        }
        if self.loaded(at) {
            return Poll::Ready(self.upto.load(Ordering::Acquire).max(at));
        }
        self.waker.register(context.waker());
        // It may have been read before the waker was there.
        if self.loaded(at) { Poll::Ready(self.upto.load(Ordering::Acquire).max(at)) } else { Poll::Pending }
    }

    /// Whether waiting for `at` has come to an end, or has no point.
    fn loaded(&self, at: u64) -> bool {
        if self.upto.load(Ordering::Acquire) > at {
            return true;
        }
        let goal = self.goal.lock().expect("nothing panics under this lock");
        !goal.running || goal.upto <= at
    }

    fn run(&self, file: &FileHandle) {
        let mut at = self.upto.load(Ordering::Acquire);
        while let Some(goal) = self.next_goal(at) {
            let bytes = (goal - at).min(STEP_BYTES);
            at = match file.load(at, bytes) {
                Ok(loaded) if loaded == bytes => at + bytes,
                // The end of the file, or an error that sending will meet too.
                _ => u64::MAX,
            };
            self.upto.store(at, Ordering::Release);
            self.waker.wake();
        }
    }

    /// Up to where to read on from `at`; `None` ends the thread's work.
    fn next_goal(&self, at: u64) -> Option<u64> {
        let mut goal = self.goal.lock().expect("nothing panics under this lock");
        if at >= goal.upto {
            goal.running = false;
            drop(goal);
            self.waker.wake();
            return None;
        }
        Some(goal.upto)
    }
}
