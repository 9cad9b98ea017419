//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{dev, log, server};

/// Logs for the cloud: hot on disk, cold in object storage, spoken to in Kafka's protocol.
#[derive(Debug, Parser)]
#[command(name = "aquifer", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node for development: no configuration, 127.0.0.1 only
    Dev(DevArguments),
    /// Run a node
    Server(ServerArguments),
    /// Look at configuration files
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look into the data directory of a node that is not running
    #[command(subcommand)]
    Log(log::LogCommand),
}

/// What `aquifer dev` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct DevArguments {
    /// Keep data here across restarts; a temporary folder without it
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The port for Kafka clients
    #[arg(long, value_name = "P", default_value_t = 9092)]
    pub(crate) kafka_port: u16,
    /// The port for HTTP
    #[arg(long, value_name = "H", default_value_t = 8080)]
    pub(crate) http_port: u16,
    /// Tier there (s3://bucket/prefix?endpoint=..., file:///folder), or not at all (none); a folder beside the data without it
    #[arg(long, value_name = "URL")]
    pub(crate) tier: Option<String>,
}

/// What `aquifer server` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ServerArguments {
    /// The configuration file; without one, the environment's AQUIFER__... variables must say it all
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Keep data here, whatever the file says
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Set a key, whatever file and environment say, e.g. --set limits.idle=5m
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say what is wrong with a configuration file, the environment's overrides included
    Check { file: PathBuf },
    /// Print the reference: every key with its default
    Default,
}

pub(crate) fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Dev(arguments) => dev::run(&arguments),
        Command::Server(arguments) => server::run(&arguments),
        Command::Config(ConfigCommand::Check { file }) => server::check(&file),
        Command::Log(command) => match log::run(&command) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::FAILURE,
            Err(error) => Err(error),
        },
        Command::Config(ConfigCommand::Default) => {
            print!("{}", crate::config::reference());
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aquifer: {error:#}");
            ExitCode::FAILURE
        }
    }
}
