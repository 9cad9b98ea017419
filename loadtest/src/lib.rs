//! Load tests and verification of Kafka-protocol log services: what the program is made of, and the verifier for tests that
//! end their servers themselves.

mod batch;
pub mod chaos;
pub mod cli;
mod clock;
pub mod commands;
mod comparison;
mod floor;
mod harness;
mod measurement;
mod meter;
mod plot;
mod prewarm;
mod process;
mod progress;
mod report;
mod runner;
mod scenario;
pub mod server;
mod suite;
mod system;
pub mod verify;
mod work;
