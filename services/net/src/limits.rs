//! `Limits`: the bounds on what clients can make a server hold.

use std::time::Duration;

/// Bounds, per connection and in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections in all; the next one is closed at once.
    pub connections_max: usize,
    /// Open connections from one address.
    pub connections_per_address_max: usize,
    /// A larger frame closes its connection before anything is allocated for it.
    pub frame_bytes_max: usize,
    /// Frames being read or worked on, in all. Reading pauses when they are used up.
    pub in_flight_bytes_max: usize,
    /// The same for one connection; a single larger frame is still taken.
    pub connection_in_flight_bytes_max: usize,
    /// Requests of one connection that are not answered yet. Reading pauses at the limit.
    pub requests_in_flight_max: usize,
    /// Reply bytes held in memory for one connection. Reading pauses above; file ranges do not count.
    pub reply_bytes_max: usize,
    /// A connection without a request for so long is closed. Java clients close theirs after nine minutes.
    pub idle: Duration,
    /// For the whole TLS handshake.
    pub handshake: Duration,
    /// For one frame to arrive, and as much again for each 8 MiB of it.
    pub frame: Duration,
    /// How long a client may take nothing of a reply that waits for it.
    pub write: Duration,
    /// Memory kept for coming frames: fresh memory costs several times as much as used memory.
    pub pooled_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 10_000,
            connections_per_address_max: 8_000,
            frame_bytes_max: 100 << 20,
            in_flight_bytes_max: 256 << 20,
            connection_in_flight_bytes_max: 16 << 20,
            requests_in_flight_max: 128,
            reply_bytes_max: 4 << 20,
            idle: Duration::from_secs(10 * 60),
            handshake: Duration::from_secs(10),
            frame: Duration::from_secs(30),
            write: Duration::from_secs(60),
            pooled_bytes_max: 32 << 20,
        }
    }
}

impl Limits {
    /// How long a frame of `bytes` may take to arrive.
    pub(crate) fn frame_time(&self, bytes: usize) -> Duration {
        let more = u32::try_from(bytes / (8 << 20)).unwrap_or(u32::MAX);
        self.frame.saturating_mul(more.saturating_add(1))
    }
}
