//! `aquifer-loadtest`: drives Kafka-protocol servers, measures them beside the machine's floors, verifies what they keep.

use std::process::ExitCode;

use aquifer_loadtest::{cli, commands};
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
