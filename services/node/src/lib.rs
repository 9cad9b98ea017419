//! One node: directory, quorum, broker and Kafka port, put together the same way by the program and by the simulation.
#![forbid(unsafe_code)]

mod error;
mod identity;
mod node;
mod report;
mod settings;

pub use error::StartError;
pub use node::{Node, Probe};
pub use settings::Settings;
