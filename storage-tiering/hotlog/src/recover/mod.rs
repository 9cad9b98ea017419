//! Opening a data directory: after a clean shutdown from one file, after anything else from segments and WAL.

mod generations;
mod open;
mod reader;
mod scan;
mod wal_replay;

pub(crate) use open::on_disk;
pub use open::{OpenError, Opened, Recovered, Verdict, open};
pub(crate) use reader::BatchReader;
pub use reader::NoBatch;
pub use scan::Replay;
pub(crate) use wal_replay::{Known, WalRecords};
