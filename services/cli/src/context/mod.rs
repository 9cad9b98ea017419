//! `aquifer context`: clusters under names.

mod command;
mod file;

pub(crate) use command::{ContextCommand, run};
pub use file::LoginMechanism;
pub(crate) use file::{Context, Contexts, Tls};
