//! `Settings`: what a node is made of, wherever it runs.

use std::path::PathBuf;

use aquifer_net::Limits;
use aquifer_types::NodeId;

/// What a node is told once, at start.
#[derive(Clone, Debug)]
pub struct Settings {
    pub data_dir: PathBuf,
    pub node: NodeId,
    /// Whether a new cluster may be made in an empty directory.
    pub bootstrap: bool,
    pub broker: aquifer_broker::Settings,
    pub log: aquifer_hotlog::Settings,
    pub limits: Limits,
    /// A snapshot of the metadata is made after so many entries of its log; `None` is the quorum's own choice.
    pub snapshot_entries: Option<u64>,
}
