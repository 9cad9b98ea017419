//! The program `aquifer`: configuration, roles, wiring, offline commands.
#![forbid(unsafe_code)]

mod command;
#[cfg(test)]
mod command_test;
mod config;
mod dev;
mod fsck;
mod gateway;
mod log;
mod logging;
mod mount;
mod node;
mod restore;
mod server;

fn main() -> std::process::ExitCode {
    command::run()
}
