//! The HTTP port: the only door to axum.
#![forbid(unsafe_code)]
#![allow(unused_qualifications, reason = "the macros that describe operations write them")]

mod admission;
mod answer;
mod body;
mod caller;
mod confluent;
mod door;
mod extract;
mod front;
#[cfg(test)]
mod mangled;
mod metrics;
mod ops;
mod problem;
mod protobuf;
mod record;
mod server;
mod stream;
mod v1;

pub use door::{Door, Ops};
pub use ops::{Probe, Readiness};
pub use server::serve;
pub use v1::openapi;
