//! Why nothing is restored.

use std::path::PathBuf;

use aquifer_disk::DiskError;
use aquifer_metadata::DecodeError;
use aquifer_objects::{ObjectError, OpenError};
use aquifer_record::BuildError;
use aquifer_tiering::SurveyError;
use aquifer_types::{ClusterId, TopicPartition};

/// Nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("{} is not empty: name a directory that is, or one that is not there yet", .0.display())]
    NotEmpty(PathBuf),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] ObjectError),
    #[error(transparent)]
    Survey(#[from] SurveyError),
    #[error("no cluster has anything at '{0}': name the URL that was its tier.url")]
    NoCluster(String),
    #[error("several clusters are there: choose one of {}", list(.0))]
    SeveralClusters(Vec<ClusterId>),
    #[error("cluster {0} has nothing there")]
    UnknownCluster(ClusterId),
    #[error("cluster {0} left no state that can be read: {1}")]
    NoState(ClusterId, String),
    #[error("the state knows no topic '{0}'")]
    UnknownTopic(String),
    #[error("the newest state that can be read is not understood: {0}")]
    State(#[from] DecodeError),
    #[error(
        "another restore of this cluster was done meanwhile, or is under way: look which one is to go on"
    )]
    Overtaken,
    #[error("the cluster was restored as often as it can be")]
    Incarnations,
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Quorum(#[from] aquifer_quorum::StartError),
    #[error("writing the directory failed in the middle")]
    Panicked,
    #[error("write the offsets of {0}: {1}")]
    Offsets(TopicPartition, BuildError),
}

fn list(clusters: &[ClusterId]) -> String {
    clusters.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
