//! Our own bytes for commands and snapshots: kind, version, fields, then tagged fields.
//!
//! An unknown kind or a newer version is an error on which a node stops: guessing what a command means would fork the
//! cluster. Tagged fields are for what a reader may not know and can do without.

mod command;
mod config;
mod ids;
mod snapshot;
mod wire;

pub use command::{decode_command, encode_command};
pub use snapshot::{decode_snapshot, encode_snapshot};
pub use wire::DecodeError;

#[cfg(test)]
mod golden_test;
