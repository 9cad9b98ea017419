//! What runs against the tier, each work with a store and a server of its own.

mod bucket;
mod estimate;
mod gets;
mod history;
mod idle;
mod metrics;
mod reader;
mod replay;
mod replay_latency;
mod restore;
mod seek;
mod slow;
mod stage;
mod upload_latency;
mod uploads;
mod warm;

pub use bucket::{Minio, VARIABLES};
pub use gets::{GetsArguments, gets};
pub use history::{create_topic, flush, until_cold};
pub use idle::tier_idle;
pub use replay::tier_replay;
pub use replay_latency::tier_replay_latency;
pub use restore::tier_restore;
pub use seek::tier_seek;
pub use upload_latency::tier_upload_latency;
pub use uploads::tier_uploads;
pub use warm::tier_warm;
