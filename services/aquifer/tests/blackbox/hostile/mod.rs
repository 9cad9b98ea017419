//! Bad input over raw sockets: it is refused with Kafka's own code or a closed connection, and the node serves on.

mod admin;
mod fetch;
mod frames;
mod node;
mod produce;
