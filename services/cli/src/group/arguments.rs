//! What the commands on groups take.

use clap::{Args, Subcommand};

use crate::moment::Moment;
use crate::reach::Reach;

#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// Show all groups
    #[command(after_help = "Examples:\n  aquifer group list\n  aquifer group list -o ndjson")]
    List(ListArguments),
    /// Show a group's state and members, and what each of them reads
    #[command(
        after_help = "Examples:\n  aquifer group describe billing\n  aquifer group describe billing -o json"
    )]
    Describe(OneArguments),
    /// Show how far a group is in each partition, and how much is left
    #[command(after_help = "Examples:\n  aquifer group lag billing\n  aquifer group lag billing -o json")]
    Lag(OneArguments),
    /// Move a group's offsets; shows what it would do unless --execute is given, and refuses while members read
    #[command(after_help = "Examples:\n  aquifer group reset billing --topic orders --to earliest\n  \
                            aquifer group reset billing --topic orders --to @-1h --execute\n  \
                            aquifer group reset billing --topic orders -p 3 --to -100 --execute")]
    Reset(ResetArguments),
    /// Delete groups with their offsets; refused while members read
    #[command(
        after_help = "Examples:\n  aquifer group delete billing --dry-run\n  aquifer group delete billing"
    )]
    Delete(DeleteArguments),
    /// Delete a group's offsets of a topic; refused while members read it
    #[command(after_help = "Examples:\n  aquifer group delete-offsets billing --topic orders --dry-run\n  \
                            aquifer group delete-offsets billing --topic orders -p 0")]
    DeleteOffsets(DeleteOffsetsArguments),
}

#[derive(Debug, Args)]
pub struct ListArguments {
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct OneArguments {
    #[arg(value_name = "GROUP")]
    pub(super) group: String,
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct ResetArguments {
    #[arg(value_name = "GROUP")]
    pub(super) group: String,
    /// Of these topics; of all that the group has offsets of if absent
    #[arg(short, long, value_name = "TOPIC")]
    pub(super) topic: Vec<String>,
    /// Only these partitions
    #[arg(short, long, value_name = "N", requires = "topic")]
    pub(super) partition: Vec<i32>,
    /// Where to
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    pub(super) to: Moment,
    /// Do it
    #[arg(long)]
    pub(super) execute: bool,
    /// Only show what would be done, as without --execute
    #[arg(long, conflicts_with = "execute")]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct DeleteArguments {
    #[arg(required = true, value_name = "GROUP")]
    pub(super) groups: Vec<String>,
    /// Only say what would be deleted
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

#[derive(Debug, Args)]
pub struct DeleteOffsetsArguments {
    #[arg(value_name = "GROUP")]
    pub(super) group: String,
    /// Of this topic
    #[arg(short, long, value_name = "TOPIC")]
    pub(super) topic: String,
    /// Only these partitions
    #[arg(short, long, value_name = "N")]
    pub(super) partition: Vec<i32>,
    /// Only say what would be deleted
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}
