//! `Meter`: counts what many workers move while a run's window is open.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aquifer_runtime::Runtime;

use crate::clock::nanoseconds;
use crate::measurement::Measurement;

/// One bar of the timeline.
const BUCKET_NANOSECONDS: u64 = 100_000_000;

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Runs, but is not counted.
    pub warm_up: Duration,
    pub measured: Duration,
}

/// Shared by the workers of one run. The window opens after the warm-up and has an end.
#[derive(Clone)]
pub struct Meter {
    counts: Arc<Counts>,
}

struct Counts {
    runtime: Runtime,
    opens: u64,
    closes: u64,
    moved: AtomicU64,
    bytes: AtomicU64,
    operations: AtomicU64,
    buckets: Vec<AtomicU64>,
    last: AtomicU64,
    longest_gap: AtomicU64,
}

impl Meter {
    /// A meter whose warm-up starts now.
    pub fn start(runtime: &Runtime, timing: Timing) -> Meter {
        let nanoseconds_of = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let opens = nanoseconds(runtime) + nanoseconds_of(timing.warm_up);
        let closes = opens + nanoseconds_of(timing.measured);
        let buckets = (closes - opens).div_ceil(BUCKET_NANOSECONDS);
        let counts = Counts {
            runtime: runtime.clone(),
            opens,
            closes,
            moved: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            operations: AtomicU64::new(0),
            buckets: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
            last: AtomicU64::new(opens),
            longest_gap: AtomicU64::new(0),
        };
        Meter { counts: Arc::new(counts) }
    }

    pub fn now(&self) -> u64 {
        nanoseconds(&self.counts.runtime)
    }

    pub fn runtime(&self) -> &Runtime {
        &self.counts.runtime
    }

    pub fn is_over(&self) -> bool {
        self.now() >= self.counts.closes
    }

    /// Whether what happens at that moment counts.
    pub fn is_open_at(&self, moment: u64) -> bool {
        (self.counts.opens..self.counts.closes).contains(&moment)
    }

    pub fn until_open(&self) -> Duration {
        Duration::from_nanos(self.counts.opens.saturating_sub(self.now()))
    }

    pub fn until_over(&self) -> Duration {
        Duration::from_nanos(self.counts.closes.saturating_sub(self.now()))
    }

    /// Counts one operation that finished at that moment; says whether it was counted.
    pub fn count(&self, moment: u64, bytes: u64) -> bool {
        let counts = &*self.counts;
        counts.moved.fetch_add(bytes, Ordering::Relaxed);
        if !self.is_open_at(moment) {
            return false;
        }
        counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        counts.operations.fetch_add(1, Ordering::Relaxed);
        let bucket = (moment - counts.opens) / BUCKET_NANOSECONDS;
        if let Some(bucket) = counts.buckets.get(usize::try_from(bucket).unwrap_or(usize::MAX)) {
            bucket.fetch_add(bytes, Ordering::Relaxed);
        }
        let last = counts.last.fetch_max(moment, Ordering::Relaxed);
        counts.longest_gap.fetch_max(moment.saturating_sub(last), Ordering::Relaxed);
        true
    }

    /// All bytes so far, the warm-up's too.
    pub fn moved(&self) -> u64 {
        self.counts.moved.load(Ordering::Relaxed)
    }

    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }

    /// Rates, the longest time without any operation, and the timeline.
    pub fn report(&self) -> Measurement {
        let counts = &*self.counts;
        let seconds = (counts.closes - counts.opens) as f64 / 1e9;
        let bytes = self.bytes() as f64;
        let last = counts.last.load(Ordering::Relaxed);
        let gap = counts.longest_gap.load(Ordering::Relaxed).max(counts.closes.saturating_sub(last));
        let mut measurement = Measurement::default();
        measurement.set("mb_per_second", bytes / 1e6 / seconds);
        measurement.set("operations_per_second", counts.operations.load(Ordering::Relaxed) as f64 / seconds);
        measurement.set("bytes", bytes);
        measurement.set("longest_stall_ms", gap as f64 / 1e6);
        let buckets = counts.buckets.iter();
        measurement.timeline_mb = buckets.map(|bytes| bytes.load(Ordering::Relaxed) as f64 / 1e6).collect();
        measurement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter() -> Meter {
        let timing = Timing { warm_up: Duration::from_secs(1), measured: Duration::from_secs(2) };
        Meter::start(&Runtime::real(), timing)
    }

    #[test]
    fn only_what_falls_into_the_window_counts() {
        let meter = meter();
        let opens = meter.counts.opens;

        let counted = [opens - 1, opens, opens + 1_999_999_999, opens + 2_000_000_000]
            .map(|moment| meter.count(moment, 1_000_000));

        assert_eq!(counted, [false, true, true, false]);
        let report = meter.report();
        assert_eq!(report.metric("mb_per_second"), Some(1.0));
        assert_eq!(report.metric("operations_per_second"), Some(1.0));
        assert_eq!(report.timeline_mb.len(), 20);
        assert_eq!((report.timeline_mb[0], report.timeline_mb[19]), (1.0, 1.0));
    }

    #[test]
    fn the_longest_stall_may_be_at_the_start_in_the_middle_or_at_the_end() {
        for (moments, stall) in [([900, 1_500], 900.0), ([100, 1_800], 1_700.0), ([100, 200], 1_800.0)] {
            let meter = meter();

            for moment in moments {
                meter.count(meter.counts.opens + moment * 1_000_000, 1);
            }

            assert_eq!(meter.report().metric("longest_stall_ms"), Some(stall));
        }
    }
}
