//! `Consumer`: records of assigned partitions, fetched ahead within bounds, in order per partition.
//!
//! `State` says where every partition stands; the keeper finds leaders and offsets; one fetcher per broker keeps a fetch
//! session over all partitions it leads and hands what came to the consumer.

mod chunk;
mod fetcher;
mod handle;
mod keeper;
mod reader;
mod settings;
mod start;
mod state;

#[cfg(test)]
mod reader_test;
#[cfg(test)]
mod state_test;

pub use chunk::Chunk;
pub use handle::{Consumer, ConsumerError, Event};
pub use reader::{ReadError, ReadUpto, RecordReader};
pub use settings::{ConsumerSettings, OutOfRange};
pub use start::Start;

pub(crate) use handle::{Message, Shared};
