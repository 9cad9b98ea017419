//! What the commands on topics take.

use clap::{Args, Subcommand};

use crate::config::{Assignment, Settings, Unsettings};
use crate::moment::Moment;
use crate::reach::Reach;

#[derive(Debug, Subcommand)]
pub enum TopicCommand {
    /// Show all topics
    #[command(after_help = "Examples:\n  aquifer topic list\n  aquifer topic list --internal -o ndjson")]
    List(ListArguments),
    /// Show topics with their partitions, leaders and copies
    #[command(
        after_help = "Examples:\n  aquifer topic describe orders\n  aquifer topic describe orders -o json"
    )]
    Describe(DescribeArguments),
    /// Make a topic
    #[command(after_help = "Examples:\n  aquifer topic create orders -p 12\n  \
                            aquifer topic create users -c cleanup.policy=compact --dry-run")]
    Create(CreateArguments),
    /// Delete topics with everything in them
    #[command(
        after_help = "Examples:\n  aquifer topic delete orders --dry-run\n  aquifer topic delete orders users"
    )]
    Delete(DeleteArguments),
    /// Bring a deleted topic back, as far as it was in object storage, while its objects are still there
    #[command(
        after_help = "Examples:\n  aquifer topic undelete orders --dry-run\n  aquifer topic undelete orders"
    )]
    Undelete(UndeleteArguments),
    /// Give a topic more partitions; keys then map to other partitions than before
    #[command(after_help = "Examples:\n  aquifer topic add-partitions orders 24\n  \
                            aquifer topic add-partitions orders 24 --dry-run")]
    AddPartitions(AddPartitionsArguments),
    /// Show and change a topic's configs
    #[command(subcommand)]
    Config(TopicConfigCommand),
    /// Show where partitions start and end, or the offsets of a time
    #[command(after_help = "Examples:\n  aquifer topic offsets orders\n  \
                            aquifer topic offsets orders --at @2026-11-01T00:00Z")]
    Offsets(OffsetsArguments),
    /// Delete all records before a place
    #[command(after_help = "Examples:\n  aquifer topic trim orders --before @-30d --dry-run\n  \
                            aquifer topic trim orders -p 0 --before 1000")]
    Trim(TrimArguments),
}

#[derive(Debug, Subcommand)]
pub enum TopicConfigCommand {
    /// Show configs with where they come from; those that were set on the topic, or all
    #[command(after_help = "Examples:\n  aquifer topic config get orders\n  \
                            aquifer topic config get orders retention.ms")]
    Get(GetArguments),
    /// Set configs, all or none
    #[command(after_help = "Examples:\n  aquifer topic config set orders retention.ms=86400000\n  \
                            aquifer topic config set orders cleanup.policy=compact --dry-run")]
    Set(SetArguments),
    /// Take configs back to their defaults
    #[command(after_help = "Examples:\n  aquifer topic config unset orders retention.ms\n  \
                            aquifer topic config unset orders retention.ms --dry-run")]
    Unset(UnsetArguments),
}

#[derive(Debug, Args)]
pub struct ListArguments {
    /// Those of the cluster itself too
    #[arg(long)]
    pub(super) internal: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct DescribeArguments {
    #[arg(required = true, value_name = "TOPIC")]
    pub(super) topics: Vec<String>,
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct CreateArguments {
    #[arg(value_name = "TOPIC")]
    pub(super) topic: String,
    /// How many; the cluster's default if absent
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(super) partitions: Option<i32>,
    /// On how many brokers each partition is kept; the cluster's default if absent
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    pub(super) replication: Option<i16>,
    /// A config to begin with
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(super) config: Vec<Assignment>,
    /// Succeed where the topic exists already
    #[arg(long)]
    pub(super) if_not_exists: bool,
    /// Only say whether it would do
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct UndeleteArguments {
    #[arg(value_name = "TOPIC")]
    pub(super) topic: String,
    /// Only say what would come back
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct DeleteArguments {
    #[arg(required = true, value_name = "TOPIC")]
    pub(super) topics: Vec<String>,
    /// Succeed where there is no such topic
    #[arg(long)]
    pub(super) if_exists: bool,
    /// Only say what would be deleted
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct AddPartitionsArguments {
    #[arg(value_name = "TOPIC")]
    pub(super) topic: String,
    /// How many it is to have in all
    #[arg(value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    pub(super) count: i32,
    /// Only say whether it would do
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct GetArguments {
    #[arg(value_name = "TOPIC")]
    pub(super) topic: String,
    #[command(flatten)]
    pub(super) settings: Settings,
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct SetArguments {
    #[arg(value_name = "TOPIC")]
    pub(super) topic: String,
    #[arg(required = true, value_name = "NAME=VALUE")]
    pub(super) configs: Vec<Assignment>,
    /// Only say whether it would do
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct UnsetArguments {
    #[arg(value_name = "TOPIC")]
    pub(super) topic: String,
    #[command(flatten)]
    pub(super) names: Unsettings,
    /// Only say whether it would do
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct OffsetsArguments {
    #[arg(value_name = "TOPIC")]
    pub(super) topic: String,
    /// Only these
    #[arg(short, long, value_name = "N")]
    pub(super) partition: Vec<i32>,
    /// The offsets of this place too
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    pub(super) at: Option<Moment>,
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct TrimArguments {
    #[arg(value_name = "TOPIC")]
    pub(super) topic: String,
    /// Only these
    #[arg(short, long, value_name = "N")]
    pub(super) partition: Vec<i32>,
    /// What comes before this place goes
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    pub(super) before: Moment,
    /// Only say what would be deleted
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}
