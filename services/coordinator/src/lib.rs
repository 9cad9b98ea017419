//! Consumer groups on this broker: every led partition of `__consumer_offsets` is loaded, asked, and answers once what it
//! decided is committed.
//!
//! One task serves one partition: it loads the shard (`aquifer-group`), appends what the shard decides to the partition's
//! replica, and releases answers as the appends are acknowledged; heartbeats are answered where they come in. Requests are
//! handled in the order in which [`Coordinator::ask`] is called. A failed append, or a batch that lies elsewhere than the
//! shard expected, ends the shard; it is loaded anew.
#![forbid(unsafe_code)]

mod append;
mod ask;
mod checkpoint;
mod coordinator;
mod desk;
mod load;
mod pattern;
mod placement;
mod serve;
mod serving;
mod surroundings;
mod topics;

pub use ask::{Asked, Unavailable};
pub use coordinator::Coordinator;
pub use pattern::{InvalidPattern, check_pattern};
pub use placement::{OFFSETS_TOPIC, partition_of};
pub use surroundings::{Counters, Surroundings};
