//! What runs against a server.

mod consume;
mod end_to_end;
mod fetch;
mod gateway;
mod groups;
mod idle;
mod memory;
mod own_device;
mod produce;
mod start;
mod tier;
mod topic;
mod trim;

pub use consume::consume;
pub use end_to_end::end_to_end;
pub use fetch::fetch;
pub use gateway::bodies::Records;
pub use gateway::http::HttpConnection;
pub use gateway::messages::{Streamer, message};
pub use gateway::produce::{Sender, Sent};
pub use gateway::{added_latency, gateway_produce, gateway_read, grpc_produce, parked};
pub use groups::{commits, departure, idle_consumers, members, reload};
pub use idle::idle;
pub use memory::memory;
pub use own_device::OwnDevice;
pub use produce::{produce, warm_up};
pub use start::start;
pub use tier::{
    GetsArguments, Minio, VARIABLES, create_topic, flush, gets, tier_idle, tier_replay, tier_replay_latency,
    tier_restore, tier_seek, tier_upload_latency, tier_uploads, tier_warm, until_cold,
};
pub use topic::{TestTopic, configs};
