//! `Report`: what came back, what may be missing and what may reappear.

use aquifer_types::TimestampMs;
use serde::Serialize;

/// What a restore did, or would do.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub cluster: String,
    /// The cluster that the objects are of: another one where only some topics came back.
    pub from_cluster: String,
    /// The cluster's life from now on.
    pub incarnation: u16,
    /// The state that the restore began with.
    pub state_incarnation: u16,
    pub state_written_ms: i64,
    /// What was uploaded later was left out.
    pub at_ms: Option<i64>,
    pub topics: usize,
    pub partitions: Vec<RestoredPartition>,
    /// Committed offsets that came back.
    pub offsets: usize,
    /// Of these, such as lay beyond what is left of their logs.
    pub offsets_lowered: usize,
    /// Such as did not come back: of topics that are gone.
    pub offsets_dropped: usize,
    /// Topics that have objects and that the state does not know: made after it, or deleted before.
    pub unknown_topics: Vec<UnknownTopic>,
    /// What could not be read or understood, and was passed over.
    pub problems: Vec<String>,
    pub dry_run: bool,
}

/// What came back of a partition.
#[derive(Clone, Debug, Serialize)]
pub struct RestoredPartition {
    pub topic: String,
    pub partition: i32,
    pub start: i64,
    pub end: i64,
    pub objects: usize,
    pub bytes: u64,
    /// Of the objects, those that were uploaded after the state was written.
    pub objects_found: usize,
    /// Objects that the state names and that are gone: the log starts after the last of them, or ends before it.
    pub objects_lost: usize,
    /// Why nothing of it is in the bucket, if it never was to be.
    pub not_tiered: Option<&'static str>,
    /// When its last object was uploaded: what was produced later is not there.
    pub complete_until_ms: Option<i64>,
}

/// Objects of a topic of which only the id is known.
#[derive(Clone, Debug, Serialize)]
pub struct UnknownTopic {
    pub id: String,
    pub objects: usize,
    pub bytes: u64,
}

impl Report {
    /// When the state was written that the restore began with.
    #[must_use]
    pub fn state_written(&self) -> TimestampMs {
        TimestampMs(self.state_written_ms)
    }

    /// Names of topics of which nothing is in the bucket because it never was to be.
    #[must_use]
    pub fn empty_topics(&self) -> Vec<&str> {
        let empty = self.partitions.iter().filter(|partition| partition.not_tiered.is_some());
        let mut names: Vec<&str> = empty.map(|partition| partition.topic.as_str()).collect();
        names.dedup();
        names
    }
}
