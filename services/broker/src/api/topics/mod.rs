//! Topics: what there is, made, deleted, enlarged.

mod create;
mod metadata;

pub(crate) use create::{TopicPlan, create_topics_now};
pub(crate) use metadata::metadata;
