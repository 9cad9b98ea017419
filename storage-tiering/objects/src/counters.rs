//! `Counters`: what was asked of the store, and what came of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::answers::Answers;

/// What can be asked of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Create,
    Copy,
    Read,
    Look,
    List,
    Delete,
}

/// Totals since the store was opened.
#[derive(Debug, Default)]
pub struct Counters {
    asked: [AtomicU64; Operation::ALL.len()],
    failed: [AtomicU64; Operation::ALL.len()],
    written_bytes: AtomicU64,
    read_bytes: AtomicU64,
    pub(crate) answers: Arc<Answers>,
}

impl Operation {
    pub const ALL: [Operation; 6] = [
        Operation::Create,
        Operation::Copy,
        Operation::Read,
        Operation::Look,
        Operation::List,
        Operation::Delete,
    ];

    /// The word for it in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Copy => "copy",
            Operation::Read => "read",
            Operation::Look => "look",
            Operation::List => "list",
            Operation::Delete => "delete",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Counters {
    /// How often the operation was asked for, and how often it failed.
    #[must_use]
    pub fn of(&self, operation: Operation) -> (u64, u64) {
        let at = operation as usize;
        (self.asked[at].load(Ordering::Relaxed), self.failed[at].load(Ordering::Relaxed))
    }

    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::Relaxed)
    }

    /// What a server said to single requests, by kind; those that were sent again by themselves count too.
    #[must_use]
    pub fn answers(&self) -> [(&'static str, u64); 8] {
        self.answers.all()
    }

    /// How often a server asked for fewer requests.
    #[must_use]
    pub fn throttled(&self) -> u64 {
        self.answers.throttled()
    }

    pub(crate) fn ask(&self, operation: Operation) {
        self.asked[operation as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fail(&self, operation: Operation) {
        self.failed[operation as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn wrote(&self, bytes: u64) {
        self.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, bytes: u64) {
        self.read_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
