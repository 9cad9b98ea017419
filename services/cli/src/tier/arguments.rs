//! What the commands on the tier take.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::estimate::EstimateArguments;
use crate::reach::Reach;

#[derive(Debug, Subcommand)]
pub enum TierCommand {
    /// Show of every partition what is hot, what is cold, and what is both
    #[command(after_help = "Examples:\n  aquifer tier show\n  aquifer tier show orders -o json")]
    Show(ShowArguments),
    /// Upload everything that is committed now; returns once it is in the tier
    #[command(after_help = "Examples:\n  aquifer tier flush orders --dry-run\n  aquifer tier flush")]
    Flush(FlushArguments),
    /// Estimate objects, requests and costs of a month; asks no cluster
    #[command(
        after_help = "Examples:\n  aquifer tier estimate --ingest 50MB --partitions 200 --retention 90days\n  \
                      aquifer tier estimate --ingest 1MB --max-age 30s --replays 2 -o json"
    )]
    Estimate(EstimateArguments),
}

#[derive(Debug, Args)]
pub struct ShowArguments {
    /// All topics if absent
    #[arg(value_name = "TOPIC")]
    pub(super) topics: Vec<String>,
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct FlushArguments {
    /// All topics if absent
    #[arg(value_name = "TOPIC")]
    pub(super) topics: Vec<String>,
    /// How long to wait for the uploads
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    pub(super) wait: Duration,
    /// Only show what is not in the tier yet
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}
