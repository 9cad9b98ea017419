//! Floors: what the machine gives at best for the same work, without a server in between.

mod cold_read;
mod echo;
mod frames;
mod ingest;
mod sendfile;
mod walfloor;
mod worker;

pub use cold_read::cold_read;
pub use echo::echo;
pub use ingest::ingest;
pub use sendfile::sendfile;
pub use walfloor::walfloor;
