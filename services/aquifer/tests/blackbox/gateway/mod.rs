//! The gateway: a program of its own in front of a node, and over HTTP alone.

mod bad_input;
mod browser;
mod callers;
mod chunks;
mod clients;
mod cold;
mod confluent;
mod contract;
mod fencing;
mod foreign;
mod grpc;
pub(crate) mod http;
mod process;
mod producers;
mod records;
mod session;
mod session_chaos;
mod sessions;
mod sockets;
mod streams;
