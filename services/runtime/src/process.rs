//! `Process`: the tasks of one simulated process, which end together when it is killed.

use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::{AbortHandle, JoinHandle};

use crate::spawn::Runtime;

/// Below this many, tasks that ended are not looked for.
const SWEEP_MIN: usize = 64;

tokio::task_local! {
    static SURROUNDINGS: Runtime;
}

/// Tasks that live and die together.
#[derive(Debug, Default)]
pub(crate) struct Process {
    tasks: Mutex<Tasks>,
    killed: AtomicBool,
}

#[derive(Debug, Default)]
struct Tasks {
    handles: Vec<AbortHandle>,
    sweep_at: usize,
}

impl Process {
    pub(crate) fn of_this_task() -> Option<Runtime> {
        SURROUNDINGS.try_with(Clone::clone).ok()
    }

    #[allow(clippy::disallowed_methods, reason = "simulated processes spawn here")]
    pub(crate) fn spawn<F>(&self, surroundings: Runtime, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let task = tokio::spawn(SURROUNDINGS.scope(surroundings, future));
        if self.killed.load(Ordering::Relaxed) {
            // What a killed task leaves to do when it is dropped is not done either.
            task.abort();
            return task;
        }
        let mut tasks = self.tasks.lock().expect("noting a task does not panic");
        if tasks.handles.len() >= tasks.sweep_at.max(SWEEP_MIN) {
            tasks.handles.retain(|handle| !handle.is_finished());
            tasks.sweep_at = tasks.handles.len() * 2;
        }
        tasks.handles.push(task.abort_handle());
        task
    }

    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
        let tasks = std::mem::take(&mut self.tasks.lock().expect("noting a task does not panic").handles);
        tasks.iter().for_each(AbortHandle::abort);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use aquifer_types::TimestampMs;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_killed_process_runs_no_more_and_drops_what_it_held() {
        let (killed, other) = (Runtime::simulated(1, TimestampMs(0)), Runtime::simulated(2, TimestampMs(0)));
        let held = Arc::new(());
        let task = |runtime: &Runtime| {
            let (inner, held) = (runtime.clone(), held.clone());
            runtime.spawn("outer", async move {
                let child = Runtime::of_this_task().expect("a simulated task").spawn_task(async move {
                    inner.sleep(Duration::from_secs(60)).await;
                    drop(held);
                });
                child.await.is_ok()
            })
        };
        let (first, second) = (task(&killed), task(&other));
        tokio::task::yield_now().await;

        killed.kill();

        assert_eq!(first.await, None);
        tokio::task::yield_now().await;
        assert_eq!(Arc::strong_count(&held), 2);
        assert_eq!(second.await, Some(true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_jumps_leaves_the_monotonic_one_alone() {
        let runtime = Runtime::simulated(1, TimestampMs(1_000));

        runtime.jump_wall_clock(-700);

        let now = runtime.now();
        assert_eq!((now.wall, now.monotonic.0), (TimestampMs(300), Duration::ZERO));
    }
}
