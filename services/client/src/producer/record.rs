//! `Outgoing`: a record on its way into a batch.

use aquifer_record::Header;
use aquifer_types::{PartitionIndex, TimestampMs};

/// Length fields, deltas and attributes of a record take no more than this.
const FRAMING_BYTES_MAX: usize = 32;
const HEADER_FRAMING_BYTES_MAX: usize = 10;

/// A record to be sent. The default has neither key nor value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outgoing<'a> {
    pub topic: &'a str,
    /// By key if absent; without a key partitions take turns, a batch each.
    pub partition: Option<PartitionIndex>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [Header<'a>],
    /// The time of sending if absent.
    pub timestamp: Option<TimestampMs>,
}

impl Outgoing<'_> {
    /// No fewer bytes than the record takes in a batch.
    pub(crate) fn bytes_max(&self) -> usize {
        let headers = self
            .headers
            .iter()
            .map(|header| header.key.len() + header.value.map_or(0, <[u8]>::len) + HEADER_FRAMING_BYTES_MAX);
        let (key, value) = (self.key.map_or(0, <[u8]>::len), self.value.map_or(0, <[u8]>::len));
        FRAMING_BYTES_MAX + key + value + headers.sum::<usize>()
    }
}
