//! The command line for clusters: topics, records, groups, configs, contexts. It speaks to brokers through the client
//! alone, so it works with any Kafka cluster.
//!
//! Every command takes `-o table|json|ndjson` and writes data to standard output, everything else to standard error.
//! Failures have a code, a hint and one of the exit codes of [`Exit`].

#![forbid(unsafe_code)]

mod cluster;
mod command;
mod completion;
mod config;
mod consume;
mod context;
mod curl;
mod failure;
mod group;
mod moment;
mod output;
mod places;
mod produce;
mod reach;
mod tier;
mod topic;

pub use command::{Command, refuse, run};
pub use config::ConfigCommand;
pub use context::LoginMechanism;
pub use failure::{Exit, Failure};
pub use moment::{InvalidMoment, Moment};
pub use output::{Format, OutputArguments, Printer, Show};
pub use reach::Reach;
pub use tier::TierCommand;
