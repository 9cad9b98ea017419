//! Our own client at work on this program and on Apache Kafka: one server each, one scene after the other.

mod group;
mod operate;
mod produce;
mod read;
mod restarts;
mod secure;
mod server;
