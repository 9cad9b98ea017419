//! What `aquifer consume` takes.

use clap::Args;

use super::template::Template;
use crate::moment::Moment;
use crate::reach::Reach;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  aquifer consume demo\n  aquifer consume demo --from -10 --exit\n  \
                        aquifer consume demo --from @-1h -f '%t %p %o %k %s\\n'\n  \
                        aquifer consume demo -g billing -n 100 -o ndjson\n\n\
                        Format (-f): %t topic, %p partition, %o offset, %k key, %K its length, %s value, %S its length,\n\
                        %T timestamp in ms, %h headers, %% a percent sign; \\n \\t \\r \\\\ \\xHH; a length of nothing is -1.\n\
                        Without -f and -o each value is a line.")]
pub struct ConsumeArguments {
    #[arg(required = true, value_name = "TOPIC")]
    pub(super) topics: Vec<String>,
    /// Only these partitions
    #[arg(short, long, value_name = "N", conflicts_with = "group")]
    pub(super) partition: Vec<i32>,
    /// Where to begin: earliest, latest, 123, -10 (before the end), @-1h, @2026-11-01T00:00Z; with a group, where it has
    /// no offset
    #[arg(long, value_name = "PLACE", default_value = "earliest", allow_hyphen_values = true)]
    pub(super) from: Moment,
    /// End where each partition ends at the time
    #[arg(short, long, conflicts_with = "follow")]
    pub(super) exit: bool,
    /// Wait for further records, which is what happens without --exit too
    #[arg(long)]
    pub(super) follow: bool,
    /// End after so many records
    #[arg(short = 'n', long, value_name = "N")]
    pub(super) count: Option<u64>,
    /// Read as a member of this group, and commit what was written
    #[arg(short, long, value_name = "GROUP")]
    pub(super) group: Option<String>,
    /// Leave the group's offsets as they are
    #[arg(long, requires = "group")]
    pub(super) no_commit: bool,
    /// How to write each record
    #[arg(short, long, value_name = "TEMPLATE", conflicts_with = "output")]
    pub(super) format: Option<Template>,
    /// Records of transactions that are not over too
    #[arg(long)]
    pub(super) uncommitted: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

impl ConsumeArguments {
    /// Whether it reads as a member of a group, which others wait for.
    pub(crate) fn joins_a_group(&self) -> bool {
        self.group.is_some()
    }
}
