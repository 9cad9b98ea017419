//! `ReplicaConfig`: what a topic's settings mean to its replicas.

use aquifer_hotlog::{CompactionPolicy, RollPolicy};
use aquifer_partition::Durability;

/// What a tiered topic keeps on local disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalRetention {
    pub bytes: Option<u64>,
    pub ms: Option<i64>,
}

/// The part of a topic's configuration that its log and its core obey.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplicaConfig {
    pub durability: Durability,
    pub roll: RollPolicy,
    /// Whether whole segments are deleted when they are too old or too many.
    pub deletes: bool,
    pub retention_ms: Option<i64>,
    pub retention_bytes: Option<u64>,
    /// How much stays on our disk of what is in the tier; nothing is uploaded and everything stays if absent.
    pub local: Option<LocalRetention>,
    /// How records that later ones with the same key supersede are removed, if they are.
    pub compaction: Option<CompactionPolicy>,
}
