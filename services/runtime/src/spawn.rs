//! `Runtime`: the handle that hands out time, randomness, tasks and threads.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use aquifer_types::{TimestampMs, Uuid};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

use crate::aside::Aside;
use crate::clock::{Clock, Now};
use crate::entropy::Entropy;
use crate::process::Process;

/// A program's surroundings. Clones are handles to the same surroundings.
#[derive(Clone, Debug)]
pub struct Runtime {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// One for all whose moments are compared.
    clock: Arc<Clock>,
    entropy: Entropy,
    /// Whose tasks these are, in a simulation.
    process: Option<Process>,
    /// Where its tasks run, if not on the tokio runtime of whoever spawns.
    aside: Option<Aside>,
}

/// A spawned task; dropping it lets the task run on.
#[derive(Debug)]
pub struct Task<T>(tokio::task::JoinHandle<T>);

impl<T> Task<T> {
    pub fn abort(&self) {
        self.0.abort();
    }
}

impl<T> Future for Task<T> {
    /// `None` if the task was aborted or panicked; the panic itself was printed where it happened.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(context).map(Result::ok)
    }
}

impl Runtime {
    /// The machine's own clock, randomness and threads. Tasks run on the tokio runtime of whoever spawns.
    #[must_use]
    pub fn real() -> Runtime {
        Runtime::from_parts(Arc::new(Clock::real()), Entropy::System, None, None)
    }

    /// The same surroundings with threads of their own for tasks, and so many at most for blocking work, which give way to all other
    /// threads. They end with the last handle. In a simulation everything stays on its one executor.
    pub fn aside(&self, name: &str, threads: usize, blocking_threads_max: usize) -> io::Result<Runtime> {
        if self.is_simulated() {
            return Ok(self.clone());
        }
        let aside = Aside::that_gives_way(name, threads, blocking_threads_max)?;
        Ok(Runtime::from_parts(self.inner.clock.clone(), Entropy::System, None, Some(aside)))
    }

    /// The same surroundings with one thread of their own for tasks, which those of them that wait for each other need not
    /// leave. It ends with the last handle. In a simulation everything stays on its one executor.
    pub fn apart(&self, name: &str) -> io::Result<Runtime> {
        if self.is_simulated() {
            return Ok(self.clone());
        }
        let aside = Aside::on_one_thread(name)?;
        Ok(Runtime::from_parts(self.inner.clock.clone(), Entropy::System, None, Some(aside)))
    }

    /// One simulated process: time from tokio's (paused) clock, randomness from `seed`, blocking work in place, no
    /// threads.
    #[must_use]
    pub fn simulated(seed: u64, wall_at_start: TimestampMs) -> Runtime {
        let process = Some(Process::default());
        Runtime::from_parts(Arc::new(Clock::simulated(wall_at_start)), Entropy::seeded(seed), process, None)
    }

    fn from_parts(
        clock: Arc<Clock>,
        entropy: Entropy,
        process: Option<Process>,
        aside: Option<Aside>,
    ) -> Runtime {
        Runtime { inner: Arc::new(Inner { clock, entropy, process, aside }) }
    }

    /// The simulated process whose task this is, for code that is called without a `Runtime` of its own.
    #[must_use]
    pub fn of_this_task() -> Option<Runtime> {
        Process::of_this_task()
    }

    /// Ends a simulated process as `kill -9` does: none of its tasks runs again, and what they held is dropped.
    pub fn kill(&self) {
        self.process().kill();
    }

    /// Moves a simulated process's wall clock, as an operator or a time server does; its monotonic clock goes on.
    pub fn jump_wall_clock(&self, by_ms: i64) {
        self.inner.clock.jump(by_ms);
    }

    fn process(&self) -> &Process {
        self.inner.process.as_ref().expect("only a simulated process can be killed")
    }

    /// Whether everything runs on one simulated executor, so that drivers must not start threads.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.inner.process.is_some()
    }

    #[must_use]
    pub fn now(&self) -> Now {
        self.inner.clock.now()
    }

    pub fn fill_random(&self, bytes: &mut [u8]) {
        self.inner.entropy.fill(bytes);
    }

    /// A random number, all 64 bits of it.
    #[must_use]
    pub fn random_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_random(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A random id that is neither reserved nor reads as a command line flag.
    #[must_use]
    pub fn random_uuid(&self) -> Uuid {
        loop {
            let mut bytes = [0; 16];
            self.fill_random(&mut bytes);
            if let Some(id) = Uuid::from_random(bytes) {
                return id;
            }
        }
    }

    /// Sleeps without holding a thread.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that sleeps")]
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// What `future` gives within `limit`, else `None`.
    pub async fn timeout<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        tokio::time::timeout(limit, future).await.ok()
    }

    /// Runs `future` on the current tokio runtime, or aside. The name says in review and in panics what runs.
    pub fn spawn<F>(&self, _name: &'static str, future: F) -> Task<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Task(self.spawn_task(future))
    }

    /// Spawns on the current tokio runtime, or aside; in a simulation as a task of this process.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that spawns tasks")]
    pub fn spawn_task<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match (&self.inner.process, &self.inner.aside) {
            (Some(process), _) => process.spawn(self.clone(), future),
            (None, Some(aside)) => aside.handle().spawn(future),
            (None, None) => tokio::spawn(future),
        }
    }

    /// Runs `work`, which may wait for a disk, off the reactor; in a simulation in place.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that spawns blocking work")]
    pub fn spawn_blocking<T, F>(&self, _name: &'static str, work: F) -> Task<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        if self.is_simulated() {
            return Task(self.spawn_task(async move { work() }));
        }
        match &self.inner.aside {
            Some(aside) => Task(aside.handle().spawn_blocking(work)),
            None => Task(tokio::task::spawn_blocking(work)),
        }
    }

    /// Runs `work`, which takes the processor for long, while others take over this thread's tasks. Whoever calls goes on
    /// when it is done: what its task does stays in order. At most as many at a time as `turns` has permits.
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place that holds up a thread of the reactor"
    )]
    pub fn hold_up<T>(&self, turns: &Semaphore, work: impl FnOnce() -> T) -> T {
        let handle = Handle::current();
        if self.is_simulated() || handle.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return work();
        }
        tokio::task::block_in_place(|| {
            let _turn = handle.block_on(turns.acquire());
            work()
        })
    }

    /// Starts a named thread. Simulations have none: their drivers ask `is_simulated` first.
    pub fn thread<F>(&self, name: &str, work: F) -> io::Result<JoinHandle<()>>
    where
        F: FnOnce() + Send + 'static,
    {
        assert!(!self.is_simulated(), "a simulation runs on one executor, without threads");
        std::thread::Builder::new().name(name.to_owned()).spawn(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread() -> Option<String> {
        std::thread::current().name().map(str::to_owned)
    }

    #[tokio::test]
    async fn what_runs_aside_has_threads_of_its_own_and_the_same_clock() {
        let runtime = Runtime::real();
        let aside = runtime.aside("other", 1, 2).expect("threads");
        let before = runtime.now().monotonic;

        let task = aside.spawn("task", async { thread() });
        let blocking = aside.spawn_blocking("work", thread);

        assert_eq!(
            (task.await.flatten(), blocking.await.flatten()),
            (Some("other".into()), Some("other".into()))
        );
        assert_ne!(thread(), Some("other".into()));
        let between = aside.now().monotonic;
        assert!(before <= between && between <= runtime.now().monotonic);
    }

    #[tokio::test]
    async fn what_runs_apart_stays_on_its_thread_unless_that_is_held_up() {
        let runtime = Runtime::real();
        let apart = runtime.apart("other").expect("a thread");
        let inner = apart.clone();
        let id = || std::thread::current().id();

        let first = apart.spawn("task", async move {
            let there = inner.spawn("inner", async move { id() });
            (thread(), id(), there.await)
        });
        let (name, outer, inner) = first.await.expect("it ends");
        assert_eq!((name, inner), (Some("other".into()), Some(outer)));
        assert_ne!(outer, id());

        let (begun, is_begun) = std::sync::mpsc::channel();
        let (end, is_ended) = std::sync::mpsc::channel();
        let inner = apart.clone();
        let held_up = apart.spawn("held up", async move {
            let turns = Semaphore::new(1);
            inner.hold_up(&turns, || {
                let _ = begun.send(());
                is_ended.recv().is_ok()
            })
        });
        is_begun.recv().expect("it runs");
        let other = apart.spawn("task", async move { id() }).await;
        end.send(()).expect("it waits");
        assert!(other.is_some_and(|other| other != outer), "another thread took over");
        assert_eq!(held_up.await, Some(true));
    }

    #[tokio::test]
    async fn what_runs_aside_gives_way_to_everything_else() {
        let niceness = || rustix::process::getpriority_process(None).expect("a thread knows its own");
        let aside = Runtime::real().aside("other", 1, 1).expect("threads");
        let before = niceness();

        let task = aside.spawn("task", async move { niceness() }).await.expect("it ends");
        let blocking = aside.spawn_blocking("work", niceness).await.expect("it ends");

        // Whoever runs the tests may be nice already, and 19 is the end.
        let wanted = (before + 10).min(19);
        assert_eq!((task, blocking, niceness()), (wanted, wanted, before));
    }

    #[tokio::test]
    async fn the_last_to_hold_a_runtime_aside_may_be_its_own_task() {
        let aside = Runtime::real().aside("other", 1, 1).expect("threads");
        let held = aside.clone();
        let (told, hears) = tokio::sync::oneshot::channel();
        aside.spawn("task", async move {
            held.sleep(Duration::from_millis(1)).await;
            drop(held);
            let _ = told.send(());
        });

        drop(aside);

        hears.await.expect("it comes to its end");
    }
}
