//! Faults that a test injects into single operations.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// What an operation is, for fault plans and counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpKind {
    Open,
    Read,
    Write,
    Sync,
    SetSize,
    Name,
    SyncDir,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device fails. A failed sync drops what it should have made durable.
    Io,
    /// The volume is full.
    Full,
    /// A write stops after this many bytes, the volume being full.
    Short(u64),
}

/// Decides per operation whether it fails: kind, path, and the number of the operation.
#[derive(Clone)]
pub struct FaultPlan(Arc<Plan>);

type Plan = dyn Fn(OpKind, &Path, u64) -> Option<Fault> + Send + Sync;

impl FaultPlan {
    pub fn new(plan: impl Fn(OpKind, &Path, u64) -> Option<Fault> + Send + Sync + 'static) -> FaultPlan {
        FaultPlan(Arc::new(plan))
    }

    pub(super) fn decide(&self, kind: OpKind, path: &Path, number: u64) -> Option<Fault> {
        (self.0)(kind, path, number)
    }
}

impl fmt::Debug for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultPlan")
    }
}
