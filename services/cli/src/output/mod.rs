//! How results leave: tables for people, JSON for programs.

mod format;
mod printer;
mod show;

pub use format::Format;

pub(crate) use format::OutputArguments;
pub(crate) use printer::{Printer, is_broken_pipe};
pub(crate) use show::{Change, Show};
