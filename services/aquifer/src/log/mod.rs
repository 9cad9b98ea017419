//! `aquifer log`: a look at a stopped node's data directory, without a server.

mod dump;
mod names;
mod verify;

use std::path::PathBuf;

use anyhow::Result;
use aquifer_disk::{Disk, RealDisk};
use aquifer_hotlog::format::Layout;
use aquifer_hotlog::inspect::Inspection;
use aquifer_types::TopicPartition;

use self::names::Names;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum LogCommand {
    /// Read everything in a data directory and say what is not sound
    #[command(
        after_help = "Examples:\n  aquifer log verify ./data\n  aquifer log verify ./data --topic orders"
    )]
    Verify(VerifyArguments),
    /// Print batches, and records if asked to
    #[command(after_help = "Examples:\n  aquifer log dump ./data --topic orders --records -o ndjson")]
    Dump(DumpArguments),
}

/// Which directory, and what of it.
#[derive(Debug, clap::Args)]
struct Chosen {
    /// The data directory of a node that is not running
    dir: PathBuf,
    /// Only this topic, by name or id
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Only this partition of it
    #[arg(long, value_name = "N", requires = "topic")]
    partition: Option<i32>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    chosen: Chosen,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DumpArguments {
    #[command(flatten)]
    chosen: Chosen,
    /// From the batch that holds this offset on
    #[arg(long, value_name = "OFFSET", default_value_t = 0)]
    from: i64,
    /// So many batches of each partition at most
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// The records of each batch too
    #[arg(long)]
    records: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people
    Table,
    /// One JSON object a line
    Ndjson,
}

/// What a command goes through.
struct Look<'d> {
    inspection: Inspection<'d>,
    names: Names,
    partitions: Vec<TopicPartition>,
}

/// Whether everything looked at was sound.
pub(crate) fn run(command: &LogCommand) -> Result<bool> {
    let disk = RealDisk;
    match command {
        LogCommand::Verify(arguments) => verify::run(&look(&disk, &arguments.chosen)?, &arguments.chosen),
        LogCommand::Dump(arguments) => dump::run(&look(&disk, &arguments.chosen)?, arguments),
    }
}

fn look<'d>(disk: &'d dyn Disk, chosen: &Chosen) -> Result<Look<'d>> {
    let inspection = Inspection::open(disk, Layout::new(&chosen.dir))?;
    let names = Names::read(&inspection);
    let mut partitions = inspection.partitions()?;
    if let Some(topic) = &chosen.topic {
        let id = names.find(topic)?;
        partitions.retain(|found| found.topic == id);
        partitions.retain(|found| chosen.partition.is_none_or(|wanted| found.partition.0 == wanted));
        anyhow::ensure!(!partitions.is_empty(), "{topic} has no such partition in {}", chosen.dir.display());
    }
    Ok(Look { inspection, names, partitions })
}
