//! `Hedges`: when a request that takes unusually long is asked a second time, and how often that may be done.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use aquifer_runtime::Runtime;

use crate::counters::Counters;

/// Requests whose time is remembered, and how many it takes to know what is usual.
const REMEMBERED_MAX: usize = 256;
const KNOWN_MIN: usize = 32;
/// Of a hundred requests so many take longer than is usual.
const UNUSUAL_PERCENT: usize = 5;
/// Nothing is hurried that comes sooner.
const AFTER_MIN: Duration = Duration::from_millis(20);
/// Requests that pay for one more, and what may be saved up.
const REQUESTS_PER_HEDGE: u32 = 20;
const SAVED_MAX: u32 = 10 * REQUESTS_PER_HEDGE;

/// What recent requests took, and what is left of the budget.
#[derive(Debug, Default)]
pub(crate) struct Hedges {
    took: VecDeque<Duration>,
    saved: u32,
}

impl Hedges {
    /// How long a request that begins now is waited for before another one is sent; `None` while nobody knows what is usual.
    pub(crate) fn begin(&mut self) -> Option<Duration> {
        self.saved = (self.saved + 1).min(SAVED_MAX);
        if self.took.len() < KNOWN_MIN {
            return None;
        }
        let mut sorted: Vec<Duration> = self.took.iter().copied().collect();
        let at = sorted.len() * (100 - UNUSUAL_PERCENT) / 100;
        let (_, usual, _) = sorted.select_nth_unstable(at);
        Some((*usual).max(AFTER_MIN))
    }

    /// Whether the budget has another request; it is then spent.
    pub(crate) fn spend(&mut self) -> bool {
        match self.saved.checked_sub(REQUESTS_PER_HEDGE) {
            Some(left) => {
                self.saved = left;
                true
            }
            None => false,
        }
    }

    /// A request that was answered took so long.
    pub(crate) fn took(&mut self, time: Duration) {
        if self.took.len() == REMEMBERED_MAX {
            self.took.pop_front();
        }
        self.took.push_back(time);
    }
}

/// What `ask` comes to, asked a second time where the first takes unusually long: whichever is answered first. One failing leaves it
/// to the other.
pub(crate) async fn hedged<T, E, F: Future<Output = Result<T, E>>>(
    runtime: &Runtime,
    hedges: &Mutex<Hedges>,
    counters: &Counters,
    ask: impl Fn() -> F,
) -> Result<T, E> {
    let hedges = || -> MutexGuard<'_, Hedges> { hedges.lock().expect("noting times does not panic") };
    let began = runtime.now().monotonic;
    let patience = hedges().begin();
    let mut first = pin!(ask());
    let in_time = match patience {
        Some(patience) => runtime.timeout(patience, first.as_mut()).await,
        None => Some(first.as_mut().await),
    };
    let answer = match in_time {
        Some(answer) => answer,
        None if !hedges().spend() => first.await,
        None => {
            Counters::add(&counters.hedges, 1);
            let mut second = pin!(ask());
            tokio::select! {
                biased;
                answer = first.as_mut() => if answer.is_ok() { answer } else { second.await },
                answer = second.as_mut() => {
                    Counters::add(&counters.hedges_won, u64::from(answer.is_ok()));
                    if answer.is_ok() { answer } else { first.await }
                }
            }
        }
    };
    if answer.is_ok() {
        hedges().took(runtime.now().monotonic.since(began));
    }
    answer
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use aquifer_types::TimestampMs;

    use super::*;

    /// What a request comes to that is answered after so many milliseconds, or the one beside it, and how long that takes.
    async fn answered(
        known: bool,
        first: Result<u64, u64>,
        second: Result<u64, u64>,
    ) -> (Result<&'static str, ()>, u64) {
        let runtime = Runtime::simulated(1, TimestampMs(0));
        let hedges = Mutex::new(Hedges::default());
        for _ in 0..if known { 50 } else { 0 } {
            hedges.lock().expect("alone").took(Duration::from_millis(100));
            hedges.lock().expect("alone").begin();
        }
        let asked = AtomicU64::new(0);
        let began = runtime.now().monotonic;
        let counters = Counters::default();
        let answer = hedged(&runtime, &hedges, &counters, || {
            let (comes, name) = match asked.fetch_add(1, Ordering::Relaxed) {
                0 => (first, "first"),
                _ => (second, "second"),
            };
            let runtime = runtime.clone();
            async move {
                let (Ok(millis) | Err(millis)) = comes;
                runtime.sleep(Duration::from_millis(millis)).await;
                comes.map(|_| name).map_err(drop)
            }
        });
        let answer = answer.await;
        (answer, runtime.now().monotonic.since(began).as_millis() as u64)
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_unusually_long_is_overtaken_by_a_second_one() {
        assert_eq!(answered(true, Ok(90), Ok(0)).await, (Ok("first"), 90), "as usual");
        assert_eq!(answered(true, Ok(5_000), Ok(80)).await, (Ok("second"), 180));
        assert_eq!(answered(true, Ok(150), Ok(80)).await, (Ok("first"), 150), "it comes after all");
        assert_eq!(
            answered(false, Ok(5_000), Ok(80)).await,
            (Ok("first"), 5_000),
            "nobody knows what is usual"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_two_that_fails_leaves_it_to_the_other() {
        assert_eq!(answered(true, Ok(500), Err(80)).await, (Ok("first"), 500));
        assert_eq!(answered(true, Err(150), Ok(80)).await, (Ok("second"), 180));
        assert_eq!(answered(true, Err(50), Ok(80)).await, (Err(()), 50), "a failure is told as before");
        assert_eq!(answered(true, Err(500), Err(80)).await, (Err(()), 500));
    }

    #[test]
    fn what_is_unusual_is_known_after_a_while_and_follows_what_is_seen() {
        let mut hedges = Hedges::default();
        for millis in 1..=31 {
            hedges.took(Duration::from_millis(millis * 10));
        }
        assert_eq!(hedges.begin(), None);
        for millis in 32..=100 {
            hedges.took(Duration::from_millis(millis * 10));
        }
        assert_eq!(hedges.begin(), Some(Duration::from_millis(960)));
        for _ in 0..REMEMBERED_MAX {
            hedges.took(Duration::from_micros(300));
        }
        assert_eq!(hedges.begin(), Some(AFTER_MIN));
    }

    #[test]
    fn one_request_in_twenty_is_asked_twice_at_most() {
        let mut hedges = Hedges::default();
        let mut asked_twice = 0;
        for _ in 0..10_000 {
            hedges.begin();
            asked_twice += u32::from(hedges.spend());
        }
        assert_eq!(asked_twice, 10_000 / REQUESTS_PER_HEDGE);

        for _ in 0..10_000 {
            hedges.begin();
        }
        let at_once = (0..1_000).filter(|_| hedges.spend()).count();
        assert_eq!(at_once, 10, "only so much is saved up");
    }
}
