//! Whole nodes on simulated time, network and disk: they boot, serve, lose power and come back, and an oracle watches.
//!
//! Everything is drawn from one seed, and one seed always gives the same trace. A process runs one seed (see `runner`),
//! because tokio and std draw from sources that a process has only once.
#![forbid(unsafe_code)]

mod audit;
mod clients;
mod dice;
mod disk_faults;
mod machine;
mod network;
mod oracle;
mod plan;
mod runner;
mod stream;
mod trace;
mod world;

pub use runner::{Arguments, run};
