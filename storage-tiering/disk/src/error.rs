//! What can go wrong with a file, sorted by what must be done about it.

use std::io;
use std::path::PathBuf;

/// An operation on a file or directory failed.
#[derive(Debug, thiserror::Error)]
#[error("{attempted} {}: {source}", path.display())]
pub struct DiskError {
    /// What was attempted, in the present tense: "open".
    pub attempted: &'static str,
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

impl DiskError {
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// The volume, a quota or the file size limit is exhausted: a state that heals, not a broken disk.
    #[must_use]
    pub fn is_full(&self) -> bool {
        is_full(&self.source)
    }
}

/// A write that ended early. The bytes before `written` are in the file.
#[derive(Debug, thiserror::Error)]
#[error("write stopped after {written} bytes: {source}")]
pub struct WriteError {
    pub written: u64,
    #[source]
    pub source: io::Error,
}

impl WriteError {
    #[must_use]
    pub fn is_full(&self) -> bool {
        is_full(&self.source)
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
