//! `Pacer` and the clock of a run, in nanoseconds.

use std::time::Duration;

use anyhow::Result;
use aquifer_runtime::Runtime;

use crate::system::Timer;

/// Nanoseconds since the program started.
pub fn nanoseconds(runtime: &Runtime) -> u64 {
    u64::try_from(runtime.now().monotonic.0.as_nanos()).unwrap_or(u64::MAX)
}

/// Moments at a fixed rate, which do not shift when one is missed: an open loop.
pub struct Pacer {
    runtime: Runtime,
    timer: Timer,
    schedule: Schedule,
}

/// The moments themselves.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    start: u64,
    interval: f64,
    next: u64,
}

impl Pacer {
    /// The first moment is `start`.
    pub fn new(runtime: &Runtime, start: u64, per_second: f64) -> Result<Pacer> {
        anyhow::ensure!(per_second > 0.0, "a rate must be above zero");
        let schedule = Schedule { start, interval: 1e9 / per_second, next: 0 };
        Ok(Pacer { runtime: runtime.clone(), timer: Timer::new()?, schedule })
    }

    /// Waits for the next moment, unless it has passed, and says when it was due. May be cancelled: the moment is then
    /// still the next one.
    pub async fn tick(&mut self) -> Result<u64> {
        let due = self.schedule.due();
        let now = nanoseconds(&self.runtime);
        self.timer.sleep(Duration::from_nanos(due.saturating_sub(now))).await?;
        self.schedule.next += 1;
        Ok(due)
    }
}

impl Schedule {
    /// Computed from the start, so that rounding does not add up.
    fn due(&self) -> u64 {
        self.start + (self.next as f64 * self.interval) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_do_not_drift() {
        let third = |next| Schedule { start: 7, interval: 1e9 / 3.0, next }.due();

        assert_eq!(
            [third(0), third(1), third(3), third(3_000_000)],
            [7, 333_333_340, 1_000_000_007, 1_000_000_000_000_007]
        );
    }

    #[tokio::test]
    async fn moments_that_have_passed_come_at_once_with_the_time_they_were_due() {
        let runtime = Runtime::real();
        let mut pacer = Pacer::new(&runtime, 0, 1e9).expect("timer");

        let due = [pacer.tick().await.expect("due"), pacer.tick().await.expect("due")];

        assert_eq!(due, [0, 1]);
    }
}
