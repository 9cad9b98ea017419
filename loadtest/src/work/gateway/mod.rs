//! What runs against a gateway.

mod added;
pub mod bodies;
mod front;
mod grpc;
pub mod http;
pub mod messages;
mod parked;
pub mod produce;
mod read;
mod relay;

pub use added::added_latency;
pub use grpc::grpc_produce;
pub use parked::parked;
pub use produce::gateway_produce;
pub use read::gateway_read;
