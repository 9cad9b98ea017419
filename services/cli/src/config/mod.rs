//! Configs of brokers and topics: `aquifer config get|set|unset`, and what `aquifer topic config` shares with it.

mod brokers;
mod entries;

pub use brokers::ConfigCommand;

pub(crate) use brokers::run;
pub(crate) use entries::{Assignment, Settings, Unsettings, alter, show};
