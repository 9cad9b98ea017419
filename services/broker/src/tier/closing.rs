//! `Closing`: what was closed by age together goes into bundles together, however long the disk takes to close it all.

use std::sync::Arc;
use std::time::Duration;

use aquifer_replica::Replica;
use aquifer_runtime::Monotonic;

use super::Tier;
use super::shipment::BUNDLED_BYTES_MAX;
use crate::broker::Broker;

/// Small stretches that are nearly due go with one that is due, so that bundles are few: this much before, or a part of what is due.
const COMPANY: Duration = Duration::from_secs(60);
const COMPANY_PART: u32 = 2;
/// How long a bundle that is not full waits for the next of what was closed with it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was closed together and is on its way to the disk.
pub(super) struct Closing<T = Arc<Replica>> {
    under_way: Vec<T>,
    until: Monotonic,
}

impl<T> Closing<T> {
    fn new(under_way: Vec<T>, now: Monotonic) -> Closing<T> {
        Closing { under_way, until: now.plus(PATIENCE) }
    }

    /// Whether more of it is waited for: as long as some of it arrives.
    pub(super) fn goes_on(&mut self, now: Monotonic, is_under_way: impl Fn(&T) -> bool) -> bool {
        let before = self.under_way.len();
        self.under_way.retain(is_under_way);
        if self.under_way.len() < before {
            self.until = now.plus(PATIENCE);
        }
        !self.under_way.is_empty() && now < self.until
    }
}

impl Broker {
    /// Closes what is due by age, and with it what nearly is.
    pub(super) fn close_due(&self, tier: &Tier) -> Closing {
        let millis = |age: Duration| i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let (now, max_age) = (self.runtime.now(), tier.settings.max_age);
        let tiered: Vec<Arc<Replica>> =
            self.replicas.all().into_iter().filter(|replica| replica.is_tiered()).collect();
        let close = |age, bytes_max| -> Vec<Arc<Replica>> {
            let closed = tiered.iter().filter(|replica| replica.close_older(now.wall, age, bytes_max));
            closed.cloned().collect()
        };
        let mut replicas = close(millis(max_age), u64::MAX);
        if !replicas.is_empty() {
            let nearly = max_age.saturating_sub(COMPANY.min(max_age / COMPANY_PART));
            replicas.extend(close(millis(nearly), BUNDLED_BYTES_MAX));
        }
        Closing::new(replicas, now.monotonic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Monotonic = Monotonic(Duration::ZERO);

    fn after(patiences: f64) -> Monotonic {
        START.plus(PATIENCE.mul_f64(patiences))
    }

    #[test]
    fn a_bundle_waits_for_as_long_as_some_of_what_it_waits_for_arrives() {
        let mut closing = Closing::new(vec![1, 2, 3], START);

        assert!(closing.goes_on(after(0.9), |_| true), "nothing has arrived, and it is early");
        assert!(closing.goes_on(after(0.9), |one| *one != 2));
        assert!(closing.goes_on(after(1.8), |_| true), "the last one arrived less than that ago");
        assert!(!closing.goes_on(after(1.95), |_| true), "nothing more comes");
    }

    #[test]
    fn a_bundle_waits_for_nothing_once_all_is_there() {
        let mut closing = Closing::new(vec![1, 2], START);
        assert!(closing.goes_on(START, |one| *one == 1));
        assert!(!closing.goes_on(START, |_| false));

        assert!(!Closing::<i32>::new(Vec::new(), START).goes_on(START, |_| true), "nothing was closed");
    }
}
