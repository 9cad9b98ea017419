//! `Producer`: records in, batches out, in order and once per partition, with bounded memory.
//!
//! `Core` holds every partition's [`queue`]; one lane per broker takes what is due from it, keeps a few requests under
//! way and gives answers back; the router finds leaders for partitions that lost theirs.

mod core;
mod delivery;
mod handle;
mod lane;
mod packing;
mod partitioner;
mod queue;
mod record;
mod router;
mod settings;

#[cfg(test)]
mod producer_test;

pub use delivery::{Delivered, Delivery, DeliveryError};
pub use handle::{Producer, SendError};
pub use partitioner::partition_of_key;
pub use record::Outgoing;
pub use settings::ProducerSettings;
