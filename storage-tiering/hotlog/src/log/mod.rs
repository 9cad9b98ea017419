//! A partition's log in memory: which segments there are, where the next batch goes, where an offset is. No I/O.

mod epochs;
mod files;
mod locate;
mod partition_log;
mod segment;

pub use epochs::EpochCache;
pub use files::{FilePool, IndexError, SegmentFile};
pub use locate::{Located, Range, ReadError, TimeLookup};
pub use partition_log::{Append, Log, RollPolicy, SealTask};
pub use segment::Segment;
