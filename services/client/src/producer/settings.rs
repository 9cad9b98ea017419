//! `ProducerSettings`: how much a producer collects, how long it tries, what it asks of brokers.

use std::time::Duration;

use aquifer_record::Encoding;

use crate::produce::Acks;

/// How a producer works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerSettings {
    pub acks: Acks,
    pub encoding: Encoding,
    /// Brokers drop what they have seen already, so that a batch sent again does not stand twice. Takes [`Acks::All`].
    pub idempotent: bool,
    /// How long a batch waits for further records.
    pub linger: Duration,
    /// Of records before packing; a record that is larger makes a batch of its own.
    pub batch_bytes_max: usize,
    pub request_bytes_max: usize,
    /// Requests under way to one broker. Brokers remember five batches, so more would break idempotence.
    pub in_flight_max: usize,
    /// Bytes of records that are not settled; whoever sends more waits.
    pub buffer_bytes_max: usize,
    /// From the first record of a batch to its acknowledgement; after that it has failed.
    pub delivery_timeout: Duration,
    /// How long partitions that a topic was given may go unnoticed.
    pub metadata_age_max: Duration,
}

impl Default for ProducerSettings {
    fn default() -> ProducerSettings {
        ProducerSettings {
            acks: Acks::All,
            encoding: Encoding::NONE,
            idempotent: true,
            linger: Duration::from_millis(5),
            batch_bytes_max: 256 * 1024,
            request_bytes_max: 4 * 1024 * 1024,
            in_flight_max: 5,
            buffer_bytes_max: 32 * 1024 * 1024,
            delivery_timeout: Duration::from_secs(120),
            metadata_age_max: Duration::from_secs(300),
        }
    }
}

impl ProducerSettings {
    /// How many batches of one partition may be under way: without sequence numbers only one stays in order.
    pub(crate) fn per_partition(&self) -> usize {
        if self.idempotent { self.in_flight_max } else { 1 }
    }
}
