//! The hot end of every partition: segments on local disk, made durable by one write-ahead log a directory.
#![forbid(unsafe_code)]

mod directory;
pub mod format;
mod log;
mod recover;

pub use directory::{Command, Directory, Health, LogHandle, Notice, Settings, Sink, Write};
pub use log::{
    Append, EpochCache, FilePool, IndexError, Located, Log, Range, ReadError, RollPolicy, SealTask, Segment,
    SegmentFile, TimeLookup,
};
pub use recover::{OpenError, Opened, Recovered, Replay, Verdict, open};
