//! The command line against a running node, as people and scripts use it.

mod contexts;
mod groups;
mod records;
mod refusals;
mod run;
mod topics;
