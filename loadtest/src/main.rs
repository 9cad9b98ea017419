//! `aquifer-loadtest`: drives Kafka-protocol servers, measures them beside the machine's floors, verifies what they keep.

mod batch;
mod cli;
mod clock;
mod commands;
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
mod server;
mod suite;
mod system;
mod verify;
mod work;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let command_line = cli::CommandLine::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(commands::execute(command_line.command)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
