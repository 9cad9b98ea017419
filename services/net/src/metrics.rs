//! `NetMetrics`: what the sockets count, for whoever exposes metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// A number that grows and shrinks.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Counter {
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gauge {
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub fn subtract(&self, less: u64) {
        self.0.fetch_sub(less, Ordering::Relaxed);
    }

    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything counted, over all listeners.
#[derive(Debug, Default)]
pub struct NetMetrics {
    pub connections: Gauge,
    pub connections_accepted: Counter,
    /// Closed at once, because there were too many in all or from one address.
    pub connections_refused: Counter,
    pub handshakes_failed: Counter,
    /// Closed because of time: idle, a frame that did not arrive, a reply that was not taken.
    pub connections_timed_out: Counter,
    pub requests: Counter,
    /// Frames that were too large or had a negative length.
    pub frames_refused: Counter,
    /// Connections closed because the service said so: unknown or undecodable requests.
    pub requests_refused: Counter,
    pub received_bytes: Counter,
    pub sent_bytes: Counter,
    /// Of those, by sendfile.
    pub sendfile_bytes: Counter,
    /// Times a reply waited for the disk, off the reactor.
    pub cold_reads: Counter,
    /// Frame bytes being read or worked on.
    pub in_flight_bytes: Gauge,
    pub certificate_reloads: Counter,
    pub certificate_reloads_failed: Counter,
}
