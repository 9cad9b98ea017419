//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use aquifer_cli::Format;
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{dev, fsck, gateway, log, mount, restore, server};

/// Logs for the cloud: hot on disk, cold in object storage, spoken to in Kafka's protocol.
#[derive(Debug, Parser)]
#[command(
    name = "aquifer",
    version,
    about,
    propagate_version = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong arguments or input, 3 not found, 4 refused, 5 no broker answers, \
                  130 interrupted"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node for development: no configuration, 127.0.0.1 only
    #[command(after_help = "Examples:\n  aquifer dev\n  aquifer dev --data-dir ./data --kafka-port 9092")]
    Dev(DevArguments),
    /// Run a node
    #[command(after_help = "Examples:\n  aquifer server --config aquifer.toml\n  \
                            aquifer server --config aquifer.toml --set limits.idle=5m")]
    Server(ServerArguments),
    /// Run a gateway alone: REST and gRPC in front of any Kafka cluster
    #[command(after_help = "Examples:\n  aquifer gateway --bootstrap 127.0.0.1:9092\n  \
                            aquifer gateway --bootstrap kafka:9092 --http-port 8081 --secret-file gateway.secret")]
    Gateway(GatewayArguments),
    /// Make the data directory of a lost cluster from what its bucket holds
    #[command(
        after_help = "Examples:\n  aquifer restore --from s3://bucket/prefix --data-dir ./data --dry-run\n  \
                      aquifer restore --from s3://bucket/prefix --data-dir ./data --at @-2h\n  \
                      aquifer restore --from s3://bucket/prefix --data-dir ./copy --topic orders"
    )]
    Restore(restore::RestoreArguments),
    /// Look at configuration files, and at configs of running brokers
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look into the data directory of a node that is not running
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Show and check what is in object storage, and have everything put there
    #[command(subcommand)]
    Tier(TierCommand),
    #[command(flatten)]
    Cluster(aquifer_cli::Command),
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

/// What `aquifer gateway` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct GatewayArguments {
    /// The address for HTTP
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) http_address: std::net::IpAddr,
    /// The port for HTTP
    #[arg(long, value_name = "H", default_value_t = 8080)]
    pub(crate) http_port: u16,
    /// What sessions are sealed with, the same file for all gateways that share work; a line a secret, the first seals.
    /// Without it sessions end with this process
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Let in only who has a key of this file: a name and a key a line
    #[arg(long, value_name = "FILE")]
    pub(crate) api_keys_file: Option<PathBuf>,
    /// Let in whom the brokers let in: they are shown the caller's own user and password by this mechanism, or its bearer
    /// token
    #[arg(long, value_name = "MECHANISM", conflicts_with = "api_keys_file")]
    pub(crate) as_caller: Option<aquifer_cli::LoginMechanism>,
    #[command(flatten)]
    pub(crate) reach: aquifer_cli::Reach,
}

#[derive(Debug, Subcommand)]
enum TierCommand {
    /// Check a bucket, with a cluster or without one: names, footers, and that nothing is missing
    #[command(
        after_help = "Examples:\n  aquifer tier fsck s3://bucket/prefix\n  aquifer tier fsck file:///bucket --deep -o json"
    )]
    Fsck(fsck::FsckArguments),
    /// Serve what a bucket holds to Kafka clients, and change nothing in it; its cluster goes on untouched
    #[command(after_help = "Examples:\n  aquifer tier mount --from s3://bucket/prefix\n  \
                      aquifer tier mount --from s3://bucket/prefix --at @-2h --kafka-port 19092 --http-port 18080")]
    Mount(mount::MountArguments),
    #[command(flatten)]
    Running(aquifer_cli::TierCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say what is wrong with a configuration file, the environment's overrides included
    #[command(after_help = "Examples:\n  aquifer config check aquifer.toml")]
    Check { file: PathBuf },
    /// Print the reference: every key with its default
    #[command(after_help = "Examples:\n  aquifer config default > aquifer.toml")]
    Default,
    #[command(flatten)]
    Running(aquifer_cli::ConfigCommand),
}

pub(crate) fn run() -> ExitCode {
    let format = Format::of_arguments(std::env::args());
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return aquifer_cli::refuse(&error, format),
    };
    let outcome = match cli.command {
        Command::Cluster(command) => return aquifer_cli::run(command, Cli::command(), format),
        Command::Config(ConfigCommand::Running(command)) => {
            return aquifer_cli::run(command, Cli::command(), format);
        }
        Command::Tier(TierCommand::Running(command)) => {
            return aquifer_cli::run(command, Cli::command(), format);
        }
        Command::Tier(TierCommand::Mount(arguments)) => return mount::run(&arguments, format),
        Command::Tier(TierCommand::Fsck(arguments)) => return fsck::run(&arguments, format),
        Command::Restore(arguments) => return restore::run(&arguments, format),
        Command::Dev(arguments) => dev::run(&arguments),
        Command::Server(arguments) => server::run(&arguments),
        Command::Gateway(arguments) => gateway::run(&arguments),
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
