//! `GroupConsumer`: a member of a group whose coordinator shares out partitions (KIP-848).
//!
//! `Membership` decides what a heartbeat says; the member task sends heartbeats on a connection of its own, hands
//! partitions to a [`crate::Consumer`], commits before it gives them up, and says so.

mod handle;
mod member;
mod membership;
mod settings;

#[cfg(test)]
mod membership_test;

pub use handle::{CommitError, GroupConsumer};
pub use settings::{Commit, GroupSettings, Subscription};
