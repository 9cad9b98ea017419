//! What HTTP clients carry for the gateway, which keeps nothing itself: cursors, sealed tokens, and how a poll goes.
//!
//! A [`Cursor`] says where reading goes on and can be read by anyone. A [`Session`] is a membership of a consumer group
//! and a [`ProducerSession`] an idempotent producer; both leave the gateway sealed by [`Keys`] that all nodes share. [`Poll`]
//! decides what is asked of the group's coordinator, in which order. Nonces, times and ids are arguments.

#![forbid(unsafe_code)]

mod cursor;
mod idempotency;
mod instance;
mod keys;
mod layout;
mod places;
mod poll;
mod producer;
mod session;
mod step;

#[cfg(test)]
mod cursor_test;
#[cfg(test)]
mod poll_test;
#[cfg(test)]
mod poll_walk_test;
#[cfg(test)]
mod token_test;

pub use cursor::{Cursor, CursorError, Progress};
pub use idempotency::OneShot;
pub use instance::{Instance, Reads};
pub use keys::{Keys, NONCE_BYTES, SecretsError, TokenError};
pub use places::{Partitions, Positions, Tenures};
pub use poll::Poll;
pub use producer::ProducerSession;
pub use session::{OWNED_MAX, Session, StartAt, cluster_named, member_named};
pub use step::{Assignment, Beat, CommitAnswer, HeartbeatAnswer, Intent, Outcome, PollError, Step};
