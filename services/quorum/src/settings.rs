//! `Settings`: who this node is, where its files are, and how much log it keeps.

use std::path::PathBuf;
use std::time::Duration;

use aquifer_types::{ClusterId, DirectoryId, NodeId};

/// The largest command, in bytes as stored: it must fit a file of the log with room to spare.
pub const COMMAND_BYTES_MAX: usize = 4 << 20;

/// What the data directory was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// New, and this node may make the cluster: nothing else says that one exists.
    New { cluster: ClusterId },
    /// It belongs to a cluster, so its raft log must be there.
    Existing,
}

/// What the quorum is told once, at start.
#[derive(Clone, Debug)]
pub struct Settings {
    pub node: NodeId,
    /// Of the data directory that holds the log.
    pub directory: DirectoryId,
    /// Where the log and the snapshots are.
    pub folder: PathBuf,
    pub beginning: Beginning,
    /// A snapshot is made after so many log entries.
    pub snapshot_entries: u64,
    /// A snapshot is made after so many bytes of log.
    pub snapshot_bytes: u64,
    /// How long a proposal waits for its answer.
    pub propose_timeout: Duration,
    /// How long start waits for a leader and for all that was committed.
    pub start_timeout: Duration,
}

impl Settings {
    /// The usual limits.
    #[must_use]
    pub fn new(node: NodeId, directory: DirectoryId, folder: PathBuf, beginning: Beginning) -> Settings {
        Settings {
            node,
            directory,
            folder,
            beginning,
            snapshot_entries: 10_000,
            snapshot_bytes: 8 << 20,
            propose_timeout: Duration::from_secs(10),
            start_timeout: Duration::from_secs(30),
        }
    }
}
