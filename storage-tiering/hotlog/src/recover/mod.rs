//! Opening a data directory: after a clean shutdown from one file, after anything else from segments and WAL.

mod generations;
mod open;
mod scan;
mod wal_replay;

pub use open::{OpenError, Opened, Recovered, Verdict, open};
pub use scan::Replay;
