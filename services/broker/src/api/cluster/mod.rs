//! What a client learns of the cluster as a whole.

mod api_versions;
mod describe_cluster;
mod describe_log_dirs;
mod describe_quorum;
mod find_coordinator;
mod list_partition_reassignments;
mod tier;
mod undelete;
mod update_features;

pub(crate) use api_versions::{advertised, api_versions};
pub(crate) use describe_cluster::describe_cluster;
pub(crate) use describe_log_dirs::describe_log_dirs;
pub(crate) use describe_quorum::describe_quorum;
pub(crate) use find_coordinator::find_coordinator;
pub(crate) use list_partition_reassignments::list_partition_reassignments;
pub(crate) use tier::aquifer_tier;
pub(crate) use update_features::update_features;
