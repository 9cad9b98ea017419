//! `Counters`: how often a directory did what, since it was opened.

use std::sync::Arc;

use super::command::LogHandle;

/// Numbers that only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Groups of the write-ahead log that were flushed.
    pub flushes: u64,
    /// Batches that these made durable.
    pub flushed_batches: u64,
    /// For each flush the partitions that it covered, added up.
    pub flushed_partitions: u64,
    /// Bytes of the groups.
    pub logged_bytes: u64,
    /// Bytes written to segments.
    pub written_bytes: u64,
    /// Segments synced so that files of the write-ahead log can be used again.
    pub checkpoints: u64,
    /// Times that producers waited because every file of the write-ahead log was in use.
    pub stalls: u64,
}

/// How many different logs there are among these.
pub(super) fn distinct<'l>(logs: impl Iterator<Item = &'l Arc<LogHandle>>, seen: &mut Vec<usize>) -> u64 {
    seen.clear();
    seen.extend(logs.map(|log| Arc::as_ptr(log).addr()));
    seen.sort_unstable();
    seen.dedup();
    seen.len() as u64
}
