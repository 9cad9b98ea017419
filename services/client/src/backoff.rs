//! `Backoff`: how long to wait before the next try.

use std::time::Duration;

/// Waits that double up to a limit, each drawn from its upper half so that many clients do not return together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    next: Duration,
    limit: Duration,
}

impl Backoff {
    /// Starts at `first`; no wait is longer than `limit`.
    #[must_use]
    pub fn new(first: Duration, limit: Duration) -> Backoff {
        Backoff { next: first.min(limit), limit }
    }

    /// The next wait, drawn by `random`.
    pub fn draw(&mut self, random: u64) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.limit);
        let half = whole / 2;
        let nanoseconds = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
        half + Duration::from_nanos(random % nanoseconds.max(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_wait_is_between_half_and_all_of_what_doubling_gives(draws in prop::collection::vec(any::<u64>(), 1..12)) {
            let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));
            let mut whole = Duration::from_millis(20);

            for random in draws {
                let wait = backoff.draw(random);

                prop_assert!(whole / 2 <= wait && wait < whole, "{wait:?} of {whole:?}");
                whole = (whole * 2).min(Duration::from_secs(1));
            }
        }
    }

    #[test]
    fn waiting_nothing_is_possible() {
        assert_eq!(Backoff::new(Duration::ZERO, Duration::ZERO).draw(7), Duration::ZERO);
    }
}
