//! The metadata state machine on openraft: proposals in, answers and images out. The only door to openraft.
//!
//! The raft log stands in write-ahead log files of its own, with votes and entries in one order; snapshots stand
//! beside it. All bytes on disk are our own, so that another version of openraft can read them.
#![forbid(unsafe_code)]

mod bytes_of;
mod error;
mod feed;
mod inspect;
mod log;
mod machine;
mod network;
mod plant;
mod quorum;
mod settings;
mod snapshot;
mod surroundings;
mod types;

#[cfg(test)]
mod crash_test;
#[cfg(test)]
mod quorum_test;
#[cfg(test)]
mod suite_test;

pub use error::{ProposeError, StartError, StopError};
pub use feed::{AppliedCommand, Subscription, Update};
pub use inspect::inspect;
pub use plant::plant;
pub use quorum::{Metrics, Quorum};
pub use settings::{Beginning, COMMAND_BYTES_MAX, Settings};
