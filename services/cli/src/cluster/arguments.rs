//! What the commands on the cluster take.

use clap::{Args, Subcommand};

use crate::reach::Reach;

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Show the cluster's id, its controller and its brokers
    #[command(after_help = "Examples:\n  aquifer cluster describe\n  aquifer cluster describe -o json")]
    Describe(PlainArguments),
    /// Show who keeps the cluster's metadata
    #[command(after_help = "Examples:\n  aquifer cluster quorum\n  aquifer cluster quorum -o json")]
    Quorum(PlainArguments),
    /// Show the brokers' data directories and what is in them
    #[command(
        after_help = "Examples:\n  aquifer cluster disks\n  aquifer cluster disks --partitions -o ndjson"
    )]
    Disks(DisksArguments),
    /// Show features and the levels in force
    #[command(after_help = "Examples:\n  aquifer cluster features\n  aquifer cluster features -o json")]
    Features(PlainArguments),
    /// Show the requests that a broker answers
    #[command(after_help = "Examples:\n  aquifer cluster apis\n  aquifer cluster apis --broker 1 -o json")]
    Apis(ApisArguments),
}

#[derive(Debug, Args)]
pub struct PlainArguments {
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct DisksArguments {
    /// Each partition by itself
    #[arg(long)]
    pub(super) partitions: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct ApisArguments {
    /// Which broker; any if absent
    #[arg(long, value_name = "ID")]
    pub(super) broker: Option<i32>,
    #[command(flatten)]
    pub(super) reach: Reach,
}
