//! Instances: consumers whose clients know nothing but a name, as Confluent's REST API v2 has them, served by any gateway.
//!
//! An instance is kept as what the metadata of a group of its own says, beside offsets that mean nothing else. A client
//! that falls silent loses its partitions with its session; the instance itself stays until it is deleted, or until its
//! group's offsets expire.

mod commit;
mod life;
mod positions;
mod read;
mod store;

pub use commit::{CommittedAt, OffsetOf};
pub use life::NewInstance;
pub use positions::Seek;
pub use read::InstanceRead;
pub use store::SHADOW_PREFIX;
