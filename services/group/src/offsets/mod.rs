//! Committed offsets of one group.

mod commit;
mod store;

pub(crate) use store::{Expiry, Offsets};
