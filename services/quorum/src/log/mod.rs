//! The raft log: what of it is in memory, how it is written, and what openraft sees of it.

mod executor;
mod memory;
mod record;
mod store;
mod writer;

pub(crate) use memory::Memory;
pub(crate) use record::Record;
pub(crate) use store::LogStore;
pub(crate) use writer::wal_settings;
