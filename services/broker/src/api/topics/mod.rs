//! Topics: what there is, made, deleted, enlarged.

mod create;
mod delete;
mod describe_partitions;
mod metadata;
mod partitions;
mod placement;

pub(crate) use create::{create, create_topics};
pub(crate) use delete::delete_topics;
pub(crate) use describe_partitions::describe_topic_partitions;
pub(crate) use metadata::metadata;
pub(crate) use partitions::create_partitions;
