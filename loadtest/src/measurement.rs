//! `Measurement`: what one run found, as named numbers, a timeline and a distribution.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Points of a distribution that are reported and plotted, in percent.
const PERCENTILES: &[f64] = &[1.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.99, 100.0];

/// The longest latency that is told apart from longer ones: one minute.
const NANOSECONDS_MAX: u64 = 60_000_000_000;

/// What one run found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// By name, which ends in the unit.
    pub metrics: BTreeMap<String, f64>,
    /// Megabytes in each tenth of a second.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline_mb: Vec<f64>,
    /// Distributions by name, as pairs of percent and microseconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub latencies_us: BTreeMap<String, Vec<(f64, f64)>>,
}

/// Latencies in nanoseconds, to three digits.
pub struct Latencies {
    histogram: Histogram<u64>,
}

impl Measurement {
    pub fn set(&mut self, name: &str, value: f64) {
        self.metrics.insert(name.to_owned(), value);
    }

    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.get(name).copied()
    }

    /// Leaves out what says nothing where no bytes are moved.
    pub fn forget_bytes(&mut self) {
        for absent in ["mb_per_second", "bytes"] {
            self.metrics.remove(absent);
        }
        self.timeline_mb.clear();
    }

    /// Adds processor time by operation, where it is known by byte.
    pub fn set_per_operation(&mut self) {
        let rates = self.metric("mb_per_second").zip(self.metric("operations_per_second"));
        let Some((megabytes, operations)) = rates.filter(|(_, operations)| *operations > 0.0) else { return };
        for part in ["server", "gateway", "own"] {
            if let Some(seconds) = self.metric(&format!("{part}_cpu_seconds_per_gb")) {
                // Seconds for a gigabyte are milliseconds for a megabyte.
                let microseconds = seconds * 1e3 * megabytes / operations;
                self.set(&format!("{part}_cpu_us_per_operation"), microseconds);
            }
        }
    }

    /// Adds a distribution: its usual percentiles as metrics, more of them for a plot.
    pub fn set_latencies(&mut self, name: &str, latencies: &Latencies) {
        let histogram = &latencies.histogram;
        if histogram.is_empty() {
            return;
        }
        let at = |percent: f64| histogram.value_at_percentile(percent) as f64 / 1e3;
        self.set(&format!("{name}_count"), histogram.len() as f64);
        self.set(&format!("{name}_p50_us"), at(50.0));
        self.set(&format!("{name}_p99_us"), at(99.0));
        self.set(&format!("{name}_p999_us"), at(99.9));
        self.set(&format!("{name}_max_us"), at(100.0));
        let points = PERCENTILES.iter().map(|percent| (*percent, at(*percent)));
        self.latencies_us.insert(name.to_owned(), points.collect());
    }
}

impl Default for Latencies {
    fn default() -> Latencies {
        let histogram = Histogram::new_with_bounds(1, NANOSECONDS_MAX, 3);
        Latencies { histogram: histogram.expect("these bounds are allowed") }
    }
}

impl Latencies {
    pub fn record(&mut self, nanoseconds: u64) {
        self.histogram.saturating_record(nanoseconds.max(1));
    }

    pub fn add(&mut self, other: &Latencies) {
        self.histogram.add(&other.histogram).expect("all have the same bounds");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_come_in_microseconds_to_three_digits() {
        let mut latencies = Latencies::default();
        let mut more = Latencies::default();
        (1..=50).for_each(|milliseconds| latencies.record(milliseconds * 1_000_000));
        (51..=100).for_each(|milliseconds| more.record(milliseconds * 1_000_000));
        latencies.add(&more);

        let mut measurement = Measurement::default();
        measurement.set_latencies("ack", &latencies);

        let rounded = |name: &str| (measurement.metric(name).expect("set") / 1e3).round();
        assert_eq!(rounded("ack_p50_us"), 50.0);
        assert_eq!(rounded("ack_p99_us"), 99.0);
        assert_eq!(rounded("ack_max_us"), 100.0);
        assert_eq!(measurement.metric("ack_count"), Some(100.0));
    }

    #[test]
    fn a_second_for_a_gigabyte_is_a_microsecond_for_a_kilobyte() {
        let mut measurement = Measurement::default();
        measurement.set("mb_per_second", 100.0);
        measurement.set("operations_per_second", 100_000.0);
        measurement.set("own_cpu_seconds_per_gb", 2.0);

        measurement.set_per_operation();

        assert_eq!(measurement.metric("own_cpu_us_per_operation"), Some(2.0));
        assert_eq!(measurement.metric("server_cpu_us_per_operation"), None);
    }

    #[test]
    fn a_latency_beyond_the_range_counts_as_the_longest() {
        let mut latencies = Latencies::default();
        latencies.record(u64::MAX);

        let mut measurement = Measurement::default();
        measurement.set_latencies("ack", &latencies);

        assert!(measurement.metric("ack_max_us").expect("set") >= 60e6);
    }
}
