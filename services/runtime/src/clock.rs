//! `Now`: the two clocks, read together.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aquifer_types::TimestampMs;

/// Time since the program started; never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monotonic(pub Duration);

impl Monotonic {
    #[must_use]
    pub fn plus(self, later: Duration) -> Monotonic {
        Monotonic(self.0 + later)
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Monotonic) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Both clocks at one moment: deadlines hang on the monotonic one, records and retention on the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    pub monotonic: Monotonic,
    pub wall: TimestampMs,
}

/// Where the time comes from.
#[derive(Debug)]
pub(crate) enum Clock {
    Real {
        started: Instant,
    },
    /// Tokio's clock, which a simulation pauses and moves.
    Simulated {
        started: tokio::time::Instant,
        /// What the wall clock would show at the start, had it always gone as it goes since its last jump.
        wall_at_start: AtomicI64,
    },
}

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads clocks")]
    pub(crate) fn real() -> Clock {
        Clock::Real { started: Instant::now() }
    }

    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads clocks")]
    pub(crate) fn simulated(wall_at_start: TimestampMs) -> Clock {
        Clock::Simulated {
            started: tokio::time::Instant::now(),
            wall_at_start: AtomicI64::new(wall_at_start.0),
        }
    }

    pub(crate) fn jump(&self, by_ms: i64) {
        let Clock::Simulated { wall_at_start, .. } = self else { panic!("only a simulated clock jumps") };
        wall_at_start.fetch_add(by_ms, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Now {
        match self {
            Clock::Real { started } => {
                #[allow(clippy::disallowed_methods, reason = "this is the one place that reads clocks")]
                let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Now { monotonic: Monotonic(started.elapsed()), wall: millis(since_1970) }
            }
            Clock::Simulated { started, wall_at_start } => {
                let elapsed = started.elapsed();
                let wall = TimestampMs(wall_at_start.load(Ordering::Relaxed) + millis(elapsed).0);
                Now { monotonic: Monotonic(elapsed), wall }
            }
        }
    }
}

fn millis(duration: Duration) -> TimestampMs {
    TimestampMs(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}
