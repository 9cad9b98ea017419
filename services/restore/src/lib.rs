//! What a bucket alone is good for: it can be checked, and what it says becomes a data directory that a node starts from.
//!
//! For a restore names are listed and footers read, no data. The quorum begins with the newest state in the bucket, with the ranges that
//! are still there and those that were uploaded after that state; logs go on where their tiers end. The restored cluster is
//! the same one in its next incarnation, which is written to the bucket: whoever still runs the one before sees that and
//! stops writing. Topics that come back by themselves are a cluster of their own, and the other one goes on.
#![forbid(unsafe_code)]

mod bundles;
mod copy;
mod directory;
mod error;
mod fsck;
mod groups;
mod partition;
mod report;
mod restore;
#[cfg(test)]
mod walk_test;

pub use error::RestoreError;
pub use fsck::{BundleCheck, ClusterCheck, FsckOptions, PartitionCheck, fsck};
pub use report::{Report, RestoredPartition, UnknownTopic};
pub use restore::{Options, restore};
