//! What a broker does from time to time: retention, a look at the disk's space.

use std::sync::Arc;
use std::time::Duration;

use aquifer_runtime::{Monotonic, Now};
use aquifer_types::TimestampMs;

use crate::broker::Broker;

const SPACE_INTERVAL: Duration = Duration::from_secs(1);

/// A wall clock that what cannot be undone may trust: it never runs faster than twice real time, so that a clock that
/// jumps ahead does not delete what is still wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CautiousClock {
    wall: TimestampMs,
    at: Monotonic,
}

impl CautiousClock {
    pub(crate) fn new(now: Now) -> CautiousClock {
        CautiousClock { wall: now.wall, at: now.monotonic }
    }

    /// The time to act upon.
    pub(crate) fn advance(&mut self, now: Now) -> TimestampMs {
        let passed = i64::try_from(now.monotonic.since(self.at).as_millis()).unwrap_or(i64::MAX / 4);
        let furthest = TimestampMs(self.wall.0.saturating_add(passed.saturating_mul(2)));
        self.wall = now.wall.min(furthest);
        self.at = now.monotonic;
        self.wall
    }
}

impl Broker {
    pub(crate) async fn keep_up(self: Arc<Broker>) {
        let mut clock = CautiousClock::new(self.runtime.now());
        let mut retention_due = self.runtime.now().monotonic;
        loop {
            tokio::select! {
                biased;
                () = self.stop.wait() => return,
                () = self.runtime.sleep(SPACE_INTERVAL) => {}
            }
            // What can be fetched again makes room before anybody is refused.
            if let Some(tier) = &self.tier {
                tier.cold.yield_space().await;
            }
            let directory = self.directory.clone();
            let looked = self.runtime.spawn_blocking("check-space", move || directory.check_space()).await;
            if let Some(Err(error)) = looked {
                tracing::warn!(%error, "cannot see how full the disk is");
            }
            let now = self.runtime.now();
            if now.monotonic >= retention_due {
                retention_due = now.monotonic.plus(self.settings.retention_interval);
                let time = clock.advance(now);
                for replica in self.replicas.all() {
                    replica.keep(time);
                }
                if !self.is_mount() {
                    self.trim_tiers(time).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, wall: i64) -> Now {
        Now { monotonic: Monotonic(Duration::from_secs(seconds)), wall: TimestampMs(wall) }
    }

    #[test]
    fn a_clock_that_jumps_ahead_is_followed_slowly_and_one_that_goes_back_at_once() {
        let mut clock = CautiousClock::new(at(0, 1_000_000));

        assert_eq!(clock.advance(at(10, 1_010_000)), TimestampMs(1_010_000));
        assert_eq!(clock.advance(at(20, 99_000_000)), TimestampMs(1_030_000));
        assert_eq!(clock.advance(at(30, 1_040_000)), TimestampMs(1_040_000));
        assert_eq!(clock.advance(at(40, 5)), TimestampMs(5));
    }
}
