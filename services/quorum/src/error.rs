//! What can go wrong, one type per operation.

use std::io;
use std::path::PathBuf;

use aquifer_disk::DiskError;
use aquifer_wal::WalError;

/// The quorum cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Wal(#[from] WalError),
    #[error("the directory belongs to a cluster, but its raft log is missing")]
    LogMissing,
    #[error("no snapshot reaches log entry {purged}, below which the log was cut off")]
    SnapshotMissing { purged: u64 },
    #[error("log entry {0} is missing")]
    Hole(u64),
    #[error("read the raft log: {0}")]
    Unreadable(#[source] io::Error),
    #[error("node id {0} is negative")]
    NodeId(i32),
    #[error("{} has a snapshot already: choose an empty folder", .0.display())]
    Planted(PathBuf),
    #[error("no leader within the time for starting")]
    NoLeader,
    #[error("make the cluster: {0}")]
    Initialize(#[source] ProposeError),
    #[error("raft stopped: {0}")]
    Stopped(String),
}

/// A proposal has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    #[error("the command has {bytes} bytes, more than {max}")]
    TooLarge { bytes: usize, max: usize },
    #[error("the metadata log is full until a snapshot is made")]
    Busy,
    #[error("another node leads")]
    NotLeader,
    /// It may have been applied, or may yet be.
    #[error("no answer in time: the command may or may not be applied")]
    Unknown,
    #[error("the quorum stopped")]
    Stopped,
    #[error("this is a read-only mount of a tier: nothing is changed here")]
    Sealed,
}

/// The quorum stopped, but not as it should.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    #[error("raft's task ended badly: {0}")]
    Raft(String),
    #[error("flush the raft log: {0}")]
    Flush(#[source] io::Error),
}
