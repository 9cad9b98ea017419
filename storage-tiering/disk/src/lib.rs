//! All file I/O of the broker: the `Disk` and `File` traits, the real side, and a simulated one that loses power.
//!
//! Calls block for as long as the device takes, so only executors make them: the writer and flusher threads, the
//! pools, recovery before anything is served, and in simulation the one executor. What decides which calls to make is
//! code that never blocks.

mod aligned;
mod error;
mod real;
mod sim;
mod traits;

pub use aligned::{AlignedBuf, BLOCK_BYTES};
pub use error::{DiskError, WriteError};
pub use real::RealDisk;
pub use sim::{CrashChoice, Fault, FaultPlan, OpKind, SimDisk};
pub use traits::{DirectoryLock, Disk, Entry, File, FileHandle, OpenMode, Space};
