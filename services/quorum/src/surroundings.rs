//! `Surroundings`: what openraft runs on: tokio, with tasks and chance taken from the simulated process where there is one.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use aquifer_runtime::Runtime;
use openraft::{AsyncRuntime, OptionalSend, TokioRuntime};
use rand_core::TryRng;

/// tokio, as openraft sees it.
#[derive(Debug)]
pub(crate) struct Surroundings(TokioRuntime);

/// Where openraft's random numbers come from.
pub(crate) enum Chance {
    System(<TokioRuntime as AsyncRuntime>::ThreadLocalRng),
    Simulated(Runtime),
}

impl TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        match self {
            Chance::System(source) => source.try_next_u32(),
            // The lower half of the draw is as random as all of it.
            Chance::Simulated(runtime) => Ok(runtime.random_u64() as u32),
        }
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        match self {
            Chance::System(source) => source.try_next_u64(),
            Chance::Simulated(runtime) => Ok(runtime.random_u64()),
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        match self {
            Chance::System(source) => source.try_fill_bytes(bytes),
            Chance::Simulated(runtime) => {
                runtime.fill_random(bytes);
                Ok(())
            }
        }
    }
}

impl AsyncRuntime for Surroundings {
    type JoinError = <TokioRuntime as AsyncRuntime>::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::JoinHandle<T>;
    type Sleep = <TokioRuntime as AsyncRuntime>::Sleep;
    type Instant = <TokioRuntime as AsyncRuntime>::Instant;
    type TimeoutError = <TokioRuntime as AsyncRuntime>::TimeoutError;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = <TokioRuntime as AsyncRuntime>::Timeout<R, T>;
    type ThreadLocalRng = Chance;
    type Mpsc = <TokioRuntime as AsyncRuntime>::Mpsc;
    type Watch = <TokioRuntime as AsyncRuntime>::Watch;
    type Oneshot = <TokioRuntime as AsyncRuntime>::Oneshot;
    type Mutex<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::Mutex<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        match Runtime::of_this_task() {
            Some(process) => process.spawn_task(future),
            None => TokioRuntime::spawn(future),
        }
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        TokioRuntime::sleep(duration)
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        TokioRuntime::sleep_until(deadline)
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(
        duration: Duration,
        future: F,
    ) -> Self::Timeout<R, F> {
        TokioRuntime::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: Self::Instant,
        future: F,
    ) -> Self::Timeout<R, F> {
        TokioRuntime::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        TokioRuntime::is_panic(join_error)
    }

    fn thread_rng() -> Chance {
        match Runtime::of_this_task() {
            Some(process) => Chance::Simulated(process),
            None => Chance::System(TokioRuntime::thread_rng()),
        }
    }

    fn new(threads: usize) -> Surroundings {
        Surroundings(TokioRuntime::new(threads))
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.0.block_on(future)
    }
}
