//! `Settings`: the bounds of one core.

/// How much one core remembers at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Producers remembered; the one that was silent longest is forgotten for a new one.
    pub producers_max: usize,
    /// How long a silent producer is remembered.
    pub producer_expiry_ms: i64,
    /// Appends that wait for an acknowledgement, and idempotent ones that wait to be written.
    pub in_flight_max: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { producers_max: 5_000, producer_expiry_ms: 24 * 60 * 60 * 1_000, in_flight_max: 16_384 }
    }
}
