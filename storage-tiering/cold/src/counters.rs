//! `Counters`: what reads of the tier came to.

use std::sync::atomic::{AtomicU64, Ordering};

/// Totals since the start.
#[derive(Debug, Default)]
pub struct Counters {
    pub(crate) hits: AtomicU64,
    pub(crate) joins: AtomicU64,
    pub(crate) fills: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) served_bytes: AtomicU64,
    pub(crate) evicted_unread: AtomicU64,
    pub(crate) held_bytes: AtomicU64,
    pub(crate) hedges: AtomicU64,
    pub(crate) hedges_won: AtomicU64,
    pub(crate) disk_hits: AtomicU64,
    pub(crate) disk_loads: AtomicU64,
    pub(crate) disk_writes: AtomicU64,
    pub(crate) disk_evicted: AtomicU64,
    pub(crate) disk_failures: AtomicU64,
    pub(crate) disk_held_bytes: AtomicU64,
}

impl Counters {
    /// By name: chunks found, waited for with others, fetched, failed, given up unread; bytes served; asked twice, and answered by
    /// the second request; and of the disk: reads
    /// served from files, chunks taken from there into memory, written, given up, not written or of no use.
    #[must_use]
    pub fn all(&self) -> [(&'static str, u64); 13] {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("hits", value(&self.hits)),
            ("joins", value(&self.joins)),
            ("fills", value(&self.fills)),
            ("failures", value(&self.failures)),
            ("evicted_unread", value(&self.evicted_unread)),
            ("served_bytes", value(&self.served_bytes)),
            ("hedges", value(&self.hedges)),
            ("hedges_won", value(&self.hedges_won)),
            ("disk_hits", value(&self.disk_hits)),
            ("disk_loads", value(&self.disk_loads)),
            ("disk_writes", value(&self.disk_writes)),
            ("disk_evicted", value(&self.disk_evicted)),
            ("disk_failures", value(&self.disk_failures)),
        ]
    }

    /// What chunks take in memory.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes.load(Ordering::Relaxed)
    }

    /// What chunks take on local disk.
    #[must_use]
    pub fn disk_held_bytes(&self) -> u64 {
        self.disk_held_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }
}
