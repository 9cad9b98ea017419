//! Floors: what the machine gives at best for the same work, without a server in between.

mod cold_read;
mod echo;
mod frames;
mod grpc_ack;
mod http_parse;
mod ingest;
mod sendfile;
mod walfloor;
mod worker;

pub use cold_read::cold_read;
pub use echo::echo;
pub use grpc_ack::grpc_ack;
pub use http_parse::http_parse;
pub use ingest::ingest;
pub use sendfile::sendfile;
pub use walfloor::walfloor;
pub use worker::Worker;
