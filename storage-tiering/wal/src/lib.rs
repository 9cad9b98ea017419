//! A write-ahead log of groups over recycled files. It knows records as bytes with a kind, nothing of what they mean.
//!
//! A group is what one flush makes durable: it starts at a whole block, carries the generation of the file it stands in
//! and the next sequence number, and its checksum is seeded with that generation, so that a block left over from the
//! file's previous life never passes for a new one. Files are written full size once and recycled, oldest first: a
//! flush then changes no metadata of the file system, which halves its latency.
//!
//! Groups are flushed one at a time, so a damaged group with a valid successor was durable once: that is corruption,
//! never a torn tail.
#![forbid(unsafe_code)]

#[cfg(test)]
mod crash_test;
mod floor;
mod group;
mod recover;
mod wal;

pub use floor::Floor;
pub use group::{GROUP_HEADER_BYTES, Group, RECORD_HEADER_BYTES};
pub use recover::{Record, WalError, inspect};
pub use wal::{NewSlot, Placement, Settings, Wal, WalFull};
