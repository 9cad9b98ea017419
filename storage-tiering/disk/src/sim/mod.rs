//! A file system in memory that loses power: what was not synced survives in any subset, sector by sector.

mod crash;
mod disk;
mod fault;
mod state;

pub use crash::CrashChoice;
pub use disk::SimDisk;
pub use fault::{Fault, FaultPlan, OpKind};
