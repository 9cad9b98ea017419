//! The Kafka port: requests become inputs of replicas and proposals to the quorum, their effects become replies.
#![forbid(unsafe_code)]

mod api;
mod broker;
mod cleaner;
mod follow;
mod metrics;
mod producers;
mod refusal;
mod replicas;
mod rewrite;
mod service;
mod settings;
mod start;
mod tier;
mod upkeep;

pub use broker::Broker;
pub use service::{Port, Session};
pub use settings::Settings;
pub use start::{Found, StartError, recover};
pub use tier::{TierError, TierSettings};
