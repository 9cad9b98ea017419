//! `ConsumerSettings`: how much a consumer fetches ahead, and what it does where its place is gone.

use crate::fetch::FetchSettings;

/// How a consumer works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerSettings {
    pub fetch: FetchSettings,
    /// Bytes fetched and not yet dropped by whoever consumes; no fetch begins beyond it.
    pub buffer_bytes_max: usize,
    pub out_of_range: OutOfRange,
}

/// What follows when a partition no longer has, or does not have, the offset it is to be read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfRange {
    /// Goes on with the first record there is.
    Earliest,
    /// Goes on with what comes next.
    Latest,
    /// Tells whoever consumes; the partition rests until it is sought anew.
    Tell,
}

impl Default for ConsumerSettings {
    fn default() -> ConsumerSettings {
        ConsumerSettings {
            fetch: FetchSettings::default(),
            buffer_bytes_max: 64 * 1024 * 1024,
            out_of_range: OutOfRange::Tell,
        }
    }
}
