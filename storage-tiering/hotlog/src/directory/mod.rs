//! A data directory's commit pipeline: what is queued is written to segments, made durable in groups, and told of.

mod checkpoint;
mod command;
mod counters;
mod driver;
mod handle;
mod job;
mod permit;
mod pipeline;
mod removal;

pub(crate) use checkpoint::Checkpoints;
pub use command::{Command, LogHandle, Notice, Sink, Write};
pub use counters::Counters;
pub use handle::{Directory, Health, Settings};
pub use permit::CleaningPermit;
