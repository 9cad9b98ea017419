//! The histograms that openraft keeps of its own batch sizes and stages, in as much memory as their values need.
//!
//! The published crate of this name builds lookup tables for every precision at the first use: 25 MB that are never
//! looked at, most of what an idle node would hold, and a good part of its start. `[patch]` in the workspace's manifest
//! puts this one in its place; it has what openraft calls.
#![forbid(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;

/// Every power of two is split into so many buckets.
const BUCKETS_PER_POWER: u64 = 4;

/// Counts of values, in buckets a quarter of their value wide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    counts: Vec<u64>,
    total: u64,
    slots: PhantomData<T>,
}

/// A histogram in nine numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PercentileStats {
    pub samples: u64,
    pub p0_1: u64,
    pub p1: u64,
    pub p5: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
}

/// Several histograms below each other, a line each.
#[derive(Clone, Debug, Default)]
pub struct AsciiChart {
    lines: Vec<(String, PercentileStats)>,
}

impl<T> Default for Histogram<T> {
    fn default() -> Histogram<T> {
        Histogram::new()
    }
}

impl<T> Histogram<T> {
    #[must_use]
    pub const fn new() -> Histogram<T> {
        Histogram { counts: Vec::new(), total: 0, slots: PhantomData }
    }

    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    pub fn record_n(&mut self, value: u64, count: u64) {
        let bucket = bucket(value);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] = self.counts[bucket].saturating_add(count);
        self.total = self.total.saturating_add(count);
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The least value of the bucket below whose end lies this part (0 to 1) of all values; 0 where there are none.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a rank among counts is as exact as the percentile asked for"
    )]
    pub fn percentile(&self, part: f64) -> u64 {
        let rank = ((self.total as f64 * part).ceil() as u64).max(1);
        let mut seen = 0_u64;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen = seen.saturating_add(*count);
            if seen >= rank {
                return least(bucket);
            }
        }
        0
    }

    #[must_use]
    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats {
            samples: self.total,
            p0_1: self.percentile(0.001),
            p1: self.percentile(0.01),
            p5: self.percentile(0.05),
            p10: self.percentile(0.10),
            p50: self.percentile(0.50),
            p90: self.percentile(0.90),
            p99: self.percentile(0.99),
            p99_9: self.percentile(0.999),
        }
    }
}

/// Small values have a bucket each; larger ones share one with those whose three leading bits are the same.
fn bucket(value: u64) -> usize {
    if value < BUCKETS_PER_POWER {
        return usize::try_from(value).expect("less than four");
    }
    let power = u64::from(value.ilog2());
    let quarter = (value >> (power - 2)) & (BUCKETS_PER_POWER - 1);
    usize::try_from((power - 1) * BUCKETS_PER_POWER + quarter).expect("at most 256")
}

fn least(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < BUCKETS_PER_POWER {
        return bucket;
    }
    let power = bucket / BUCKETS_PER_POWER + 1;
    (BUCKETS_PER_POWER + bucket % BUCKETS_PER_POWER) << (power - 2)
}

impl AsciiChart {
    #[must_use]
    pub fn new() -> AsciiChart {
        AsciiChart::default()
    }

    #[must_use]
    #[allow(clippy::should_implement_trait, clippy::needless_pass_by_value, reason = "openraft calls it so")]
    pub fn add<T>(mut self, name: impl Into<String>, histogram: Histogram<T>) -> AsciiChart {
        self.lines.push((name.into(), histogram.percentile_stats()));
        self
    }
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PercentileStats { samples, p0_1, p1, p5, p10, p50, p90, p99, p99_9 } = self;
        write!(
            out,
            "{samples} samples, 0.1%: {p0_1}, 1%: {p1}, 5%: {p5}, 10%: {p10}, 50%: {p50}, 90%: {p90}, 99%: {p99}, 99.9%: {p99_9}"
        )
    }
}

impl fmt::Display for AsciiChart {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|(name, stats)| writeln!(out, "{name}: {stats}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_a_bucket_that_starts_at_most_a_quarter_below() {
        let values =
            (0..10_000).chain((0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit])).chain([u64::MAX]);
        for value in values {
            let least = least(bucket(value));
            assert!(least <= value && value - least <= value / 4, "{value} in the bucket from {least}");
            assert_eq!(bucket(least), bucket(value));
        }
    }

    #[test]
    fn percentiles_are_those_of_the_values() {
        let mut histogram = Histogram::<()>::new();
        assert_eq!(histogram.percentile(0.5), 0);
        for value in 1..=1000 {
            histogram.record(value);
        }
        let stats = histogram.percentile_stats();
        assert_eq!((stats.samples, stats.p0_1, stats.p50, stats.p99_9), (1000, 1, 448, 896));
    }
}
