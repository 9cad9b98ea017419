//! A look at the data directory of a stopped node: what stands in it, and whether all of it is sound. Nothing is changed.

mod batches;
mod directory;
mod verify;

pub use batches::{BatchPlace, SegmentWalk};
pub use directory::{InspectError, Inspection};
pub use verify::PartitionReport;
