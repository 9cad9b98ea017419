//! One replica of one partition as a state machine: inputs in, effects out. Pure.
//!
//! `Core::step` takes the time and one input and appends what must be done to `effects`. Whoever drives it holds the
//! replica's lock, carries the effects out in their order before the next step, and reports what the disk and the
//! followers did as further inputs. Offsets are assigned here and nowhere else, an acknowledgement leaves from here and
//! nowhere else, and the order of positions that acknowledged data hangs on is asserted after every step.

#![forbid(unsafe_code)]

mod advance;
mod append;
mod core;
mod effect;
mod input;
mod leader;
mod marks;
mod pending;
mod producers;
mod read;
mod replicate;
mod roles;
mod settings;

pub use crate::core::{Core, Recovered};
pub use effect::{Acknowledgement, Effect, Refusal};
pub use input::{Acks, Append, Durability, Follow, Input, Lead, Ticket};
pub use leader::{Leader, Progress};
pub use marks::Marks;
pub use read::{Isolation, Latest, Readable, WrongEpoch};
pub use roles::{Follower, Role};
pub use settings::Settings;
