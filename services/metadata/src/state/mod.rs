//! `State`: applies commands, in files by what they change.

mod apply;
mod brokers;
mod check;
mod configs;
mod election;
mod fence;
mod load;
mod partitions;
mod restore;
mod tier;
mod topics;
mod undelete;

pub use apply::State;
pub use check::{BROKERS_MAX, GROUP_CONFIGS_MAX, PARTITIONS_MAX, PARTITIONS_PER_TOPIC_MAX};
pub use restore::Restore;
pub use undelete::Deleted;

#[cfg(test)]
mod apply_test;
#[cfg(test)]
mod bundle_test;
#[cfg(test)]
mod election_test;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod random_test;
#[cfg(test)]
mod restore_test;
#[cfg(test)]
mod size_test;
#[cfg(test)]
mod tier_test;
#[cfg(test)]
mod undelete_test;
