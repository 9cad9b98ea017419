//! The command line.

use std::path::PathBuf;

use aquifer_client::Address;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use crate::work::GetsArguments;

/// Load tests and verification of a Kafka-protocol log service, beside the floors of the machine it runs on.
#[derive(Debug, Parser)]
#[command(name = "aquifer-loadtest", version)]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run each run of a scenario once and show what it measured
    Run {
        scenario: PathBuf,
        #[command(flatten)]
        options: Options,
    },
    /// Run the rounds of scenarios, each run of a round after the other, and show the ratios
    Compare {
        #[arg(required = true)]
        scenarios: Vec<PathBuf>,
        #[command(flatten)]
        options: Options,
    },
    /// Measure one floor: what the machine gives without a server
    Floor {
        name: FloorName,
        #[arg(long, default_value_t = 1)]
        streams: usize,
        #[arg(long, default_value_t = 1 << 20)]
        frame_bytes: usize,
        /// fdatasync after each frame (ingest), or append 4 KiB and fdatasync before each answer (echo)
        #[arg(long)]
        sync: bool,
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
        #[command(flatten)]
        options: Options,
    },
    /// Run the scenarios that come with the program
    Suite {
        name: SuiteName,
        /// Little data and one short round, to see whether everything runs
        #[arg(long)]
        quick: bool,
        /// Only scenarios whose name contains this
        #[arg(long)]
        only: Option<String>,
        /// In place of each scenario's own
        #[arg(long)]
        rounds: Option<usize>,
        #[command(flatten)]
        options: Options,
    },
    Gets(GetsArguments),
    /// Show and plot a report again
    Report {
        /// A report.json
        report: PathBuf,
        /// Where the tables and plots go; nowhere if absent
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Kill processes while they work, and see what became of their work; exits with 1 if anything is wrong
    #[command(subcommand)]
    Chaos(ChaosCommand),
    /// Produce records that can be told apart, or check that they are there
    #[command(subcommand)]
    Verify(VerifyCommand),
}

#[derive(Debug, Subcommand)]
pub enum ChaosCommand {
    /// Members of a group (`aquifer consume`) and their broker: each record is read, and again only where somebody died
    Groups {
        #[arg(long, default_value_t = 10.0)]
        minutes: f64,
        #[arg(long, default_value_t = 6)]
        members: usize,
        #[arg(long, default_value_t = 12)]
        partitions: i32,
        #[command(flatten)]
        options: Options,
    },
    /// A broker and the MinIO that it tiers into: everything acknowledged is read from there in the end
    Tier {
        #[arg(long, default_value_t = 10.0)]
        minutes: f64,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Debug, Subcommand)]
pub enum VerifyCommand {
    /// Produce, and note in a ledger what was acknowledged, until killed or the broker stays away
    Produce {
        #[arg(long)]
        address: Address,
        #[arg(long)]
        topic: String,
        /// Created if it is not there
        #[arg(long, default_value_t = 4)]
        partitions: i32,
        #[arg(long, default_value_t = 4)]
        producers: usize,
        /// Added to if it is there
        #[arg(long)]
        out: PathBuf,
        #[arg(long, default_value_t = 10)]
        records_per_batch: usize,
        #[arg(long, default_value_t = 256)]
        record_bytes: usize,
        #[arg(long)]
        seconds: Option<f64>,
        /// How long the broker may be away
        #[arg(long, default_value_t = 5.0)]
        give_up_after_seconds: f64,
    },
    /// Read everything and compare it with the ledger; exits with 1 if anything is wrong
    Check {
        #[arg(long)]
        address: Address,
        #[arg(long)]
        topic: String,
        #[arg(long)]
        ledger: PathBuf,
    },
}

#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The aquifer program; the one beside this program if absent
    #[arg(long, env = "AQUIFER_PROGRAM")]
    pub aquifer: Option<PathBuf>,
    /// The script that runs Apache Kafka
    #[arg(long, env = "AQUIFER_KAFKA_SCRIPT", default_value = "loadtest/peers/kafka.sh")]
    pub kafka: PathBuf,
    /// The MinIO program; the one that loadtest/peers/minio.sh finds or compiles if absent
    #[arg(long, env = "AQUIFER_MINIO_PROGRAM")]
    pub minio: Option<PathBuf>,
    /// A server that runs already, in place of those that would be started
    #[arg(long)]
    pub address: Option<Address>,
    /// Leave out runs on these servers
    #[arg(long)]
    pub without: Vec<ServerName>,
    /// Where servers and floors write: on the disk to be measured
    #[arg(long)]
    pub directory: Option<PathBuf>,
    /// Where the report goes
    #[arg(long, default_value = "loadtest-report")]
    pub out: PathBuf,
    /// Memory touched before each run that writes
    #[arg(long, default_value_t = 4 << 10)]
    pub prewarm_mib: usize,
    /// How long each kind of work runs on a server before it is measured
    #[arg(long, default_value_t = 8.0)]
    pub server_warm_up_seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FloorName {
    Ingest,
    Walfloor,
    Sendfile,
    Echo,
    ColdRead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SuiteName {
    /// Producing, fetching, latency, starting
    Issue,
    /// Consumer groups, and programs that consume
    Groups,
    /// The gateway over HTTP and gRPC
    Gateway,
    /// Object storage, in MinIO
    Tier,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ServerName {
    Aquifer,
    Kafka,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
