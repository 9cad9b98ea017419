//! The hot end of every partition: segments on local disk, made durable by one write-ahead log a directory.
#![forbid(unsafe_code)]

mod compact;
mod directory;
pub mod format;
pub mod inspect;
mod log;
mod recover;

pub use compact::{
    Cleaning, CleaningError, CleaningPlan, CleaningReport, CompactionPolicy, Dirtiness, Filter, Kept, Limits,
    OffsetMap, Replacement, Step, Tally,
};
pub use directory::{
    CleaningPermit, Command, Counters, Directory, Health, LogHandle, Notice, Settings, Sink, Write,
};
pub use log::{
    Append, EpochCache, FilePool, IndexError, Located, Log, Range, ReadError, RollPolicy, SealTask, Segment,
    SegmentFile, TimeLookup,
};
pub use recover::{NoBatch, OpenError, Opened, Recovered, Replay, Verdict, open};
