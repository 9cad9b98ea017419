//! Why a node does not start.

use std::io;
use std::path::PathBuf;

use aquifer_disk::DiskError;
use aquifer_hotlog::OpenError;
use aquifer_hotlog::format::FormatError;
use aquifer_types::NodeId;

/// A node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("read {}: {error}", path.display())]
    Meta { path: PathBuf, error: FormatError },
    #[error(
        "{} belongs to node {found}, not to node {configured}: set node.id to {found}, or choose another directory",
        root.display()
    )]
    OtherNode { root: PathBuf, found: NodeId, configured: NodeId },
    #[error("{} holds data but no file 'meta': it is not made anew over what may be wanted", .0.display())]
    MetaMissing(PathBuf),
    #[error("{} is empty: set cluster.bootstrap = true to make a new cluster in it", .0.display())]
    Empty(PathBuf),
    #[error("recovery panicked")]
    RecoveryPanicked,
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Quorum(#[from] aquifer_quorum::StartError),
    #[error(transparent)]
    Broker(#[from] aquifer_broker::StartError),
    #[error("serve the Kafka port")]
    Serve(#[source] io::Error),
}
