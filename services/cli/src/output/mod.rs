//! How results leave: tables for people, JSON for programs.

mod format;
mod printer;
mod show;

pub use format::{Format, OutputArguments};
pub use printer::Printer;
pub use show::Show;

pub(crate) use printer::is_broken_pipe;
pub(crate) use show::Change;
